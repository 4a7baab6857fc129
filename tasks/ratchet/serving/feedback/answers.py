"""Which answers were given, as the edge's pods tell it (serving/edge/tell.py): kept as a laptop's access log is.

POST /answers, a line of Envoy's access log each
{"request_id": "9f…", "key": "mia", "path": "/v1/chat/completions", "status": 200, "release": "support-1", …}
"""

import json
import logging
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ratchet.clients.routes import ANSWERS_PATH
from ratchet.core.log import log

# As the supervisor rotates a laptop's (docs/edge.md).
FILE_BYTES, NUM_OLDER_FILES = 20_000_000, 2
NEEDED = frozenset({"at", "request_id", "key", "path", "status", "colour", "release"})


class _Log(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the library's name
        """What was not written must not be taken for written."""
        raise  # noqa: PLE0704 - within the handler's own except


class AnswersLog:
    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log = _Log(folder / "access.log", maxBytes=file_bytes, backupCount=NUM_OLDER_FILES, encoding="utf-8")

    def route(self) -> Route:
        return Route(ANSWERS_PATH, self._take, methods=["POST"])

    async def _take(self, request: Request) -> Response:
        """204; 400 for what will never be taken; 503 for what may be told again."""
        # Bytes: text also splits at U+2028, which a client may have in an id, and would cost the others' answers.
        lines = [line.decode("utf-8", "replace") for line in (await request.body()).splitlines()]
        if not all(map(_is_answer, lines)):
            log.error("the edge told something else than answers", extra={"num_lines": len(lines)})
            return Response(status_code=400)
        try:
            await run_in_threadpool(self._write, lines)
        except OSError as error:
            log.error("answers were not written", extra={"error": error.strerror, "file": self._log.baseFilename})
            return Response(status_code=503)
        return Response(status_code=204)

    def _write(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._log.handle(logging.makeLogRecord({"msg": line}))


def _is_answer(line: str) -> bool:
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return isinstance(told, dict) and told.keys() >= NEEDED
