"""The service that takes feedback, on a socket that only its owner reaches: python -m ratchet.serving.feedback"""

import sys

import uvicorn

from ratchet.clients.settings import Settings, load
from ratchet.core import log as logs
from ratchet.core.errors import RatchetError
from ratchet.core.log import log
from ratchet.serving.feedback.app import Taker, application
from ratchet.serving.feedback.inbox import inbox_of

MAX_UNDER_WAY = 64
# Longer than the edge keeps an idle connection (edge/bootstrap.py).
KEEP_ALIVE_SECONDS = 75


def main() -> int:
    logs.configure(for_people=True)
    try:
        serve(load())
    except RatchetError as error:
        log.error(str(error), extra={"exit_code": error.exit_code})
        return error.exit_code
    return 0


def serve(settings: Settings) -> None:
    inbox = inbox_of(settings)
    inbox.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    inbox.forget_old()
    app = application(Taker(inbox, logs=settings.state / "logs", capture=settings.state / "capture"))
    log.info("taking feedback", extra={"into": str(inbox.folder)})
    uvicorn.run(
        app,
        uds=str(inbox.socket),
        limit_concurrency=MAX_UNDER_WAY,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
        access_log=False,  # the edge has one
        log_level="warning",
        server_header=False,
    )


if __name__ == "__main__":
    sys.exit(main())
