"""The service that takes feedback.

python -m ratchet.serving.feedback                                        on a socket that only its owner reaches
python -m ratchet.serving.feedback --line support --listen 0.0.0.0:8000   in a pod (helm/serving, feedback.enabled)
"""

import argparse
import sys
import threading
import time
from typing import Any

import uvicorn

from ratchet.clients.settings import Settings, load
from ratchet.clients.world import World
from ratchet.core import log as logs
from ratchet.core.errors import RatchetError
from ratchet.core.log import log
from ratchet.serving.feedback.answers import AnswersLog
from ratchet.serving.feedback.app import Taker, application
from ratchet.serving.feedback.inbox import FeedbackInbox, inbox_of
from ratchet.serving.feedback.store_inbox import inbox_of_line

MAX_UNDER_WAY = 64
# Longer than the edge keeps an idle connection (edge/bootstrap.py).
KEEP_ALIVE_SECONDS = 75
FORGET_SECONDS = 3600.0


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    logs.configure(for_people=options.listen is None)
    try:
        if options.listen is None:
            serve(load())
        else:
            serve_in_a_pod(load(), options.line, options.listen)
    except RatchetError as error:
        log.error(str(error), extra={"exit_code": error.exit_code})
        return error.exit_code
    return 0


def serve(settings: Settings) -> None:
    inbox = inbox_of(settings)
    inbox.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _run(settings, inbox, uds=str(inbox.socket))


def serve_in_a_pod(settings: Settings, line: str, listen: str) -> None:
    """Behind a network policy: whoever reaches it may say whose answer something was said of."""
    host, _, port = listen.rpartition(":")
    answers = AnswersLog(settings.state / "logs")
    inbox = inbox_of_line(World(settings, settings.scratch), line)
    _run(settings, inbox, answers.route(), host=host, port=int(port))


def _run(settings: Settings, inbox: FeedbackInbox, *routes: Any, **where: Any) -> None:
    threading.Thread(target=_forget, args=(inbox,), daemon=True).start()
    taker = Taker(inbox, logs=settings.state / "logs", capture=settings.state / "capture")
    log.info("taking feedback", extra=where)
    uvicorn.run(
        application(taker, *routes),
        **where,
        limit_concurrency=MAX_UNDER_WAY,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
        access_log=False,  # the edge has one
        log_level="warning",
        server_header=False,
    )


def _forget(inbox: FeedbackInbox) -> None:
    while True:
        try:
            inbox.forget_old()
        except OSError as error:
            log.warning("old feedback was not forgotten yet", extra={"error": str(error)})
        time.sleep(FORGET_SECONDS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ratchet.serving.feedback")
    parser.add_argument("--listen", metavar="HOST:PORT")
    parser.add_argument("--line", help="with --listen: whose feedback it is")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
