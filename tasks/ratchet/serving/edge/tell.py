"""Passes Envoy's access log on to the pod's own, and tells the service that takes feedback which answers were given."""

import json
import queue
import sys
import threading
import time
from typing import IO

from ratchet.clients.http import http_client
from ratchet.clients.routes import ANSWERS_PATH
from ratchet.core.log import log
from ratchet.serving.edge.pod import Place
from ratchet.serving.middleware import ANSWER_PATHS

# While the service is away: some 5 MB.
MAX_WAITING = 10_000
MAX_LINES = 500
RETRY_SECONDS = 1.0
TIMEOUT_SECONDS = 5.0
END_SECONDS = 5.0
_END = b""


class Teller:
    """Two threads: users' requests wait for neither."""

    def __init__(self, service: Place, access_log: IO[bytes]) -> None:
        self.url = f"http://{service.host}:{service.port}{ANSWERS_PATH}"
        self._waiting: queue.Queue[bytes] = queue.Queue(MAX_WAITING)
        self._is_away = False
        self._copying = threading.Thread(target=self._copy, args=(access_log,), daemon=True)
        self._telling = threading.Thread(target=self._tell_all, daemon=True)
        self._copying.start()
        self._telling.start()

    def finish(self) -> None:
        """After Envoy has ended: the last answers, as far as they can be told now."""
        self._copying.join(END_SECONDS)
        self._telling.join(END_SECONDS)

    def _copy(self, access_log: IO[bytes]) -> None:
        for line in access_log:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            if is_answer(line):
                self._put(line)
        self._put(_END)

    def _put(self, line: bytes) -> None:
        try:
            self._waiting.put_nowait(line)
        except queue.Full:  # for which the log has a line: the service is away
            return

    def _tell_all(self) -> None:
        while lines := self._next():
            while not self._tell(lines):
                time.sleep(RETRY_SECONDS)

    def _next(self) -> list[bytes]:
        """Waits for the next; nothing at the end."""
        lines = [self._waiting.get()]
        while lines[-1] != _END and len(lines) < MAX_LINES and not self._waiting.empty():
            lines.append(self._waiting.get())
        if lines[-1] == _END and len(lines) > 1:
            self._put(_END)
        return [line for line in lines if line != _END]

    def _tell(self, lines: list[bytes]) -> bool:
        """Was it taken, or will it never be? The same told twice does no harm."""
        import httpx

        try:
            answer = http_client().post(self.url, content=b"".join(lines), timeout=TIMEOUT_SECONDS)
            problem = f"HTTP {answer.status_code}" if answer.status_code >= 500 else ""
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__}: {error}"
        self._say(problem)
        return not problem

    def _say(self, problem: str) -> None:
        """Once when it goes and once when it is back."""
        if problem and not self._is_away:
            log.warning("feedback's service is away", extra={"url": self.url, "reason": problem, "kept": MAX_WAITING})
        elif self._is_away and not problem:
            log.info("feedback's service is back")
        self._is_away = bool(problem)


def is_answer(line: bytes) -> bool:
    """Of the access log: was it a whole answer of a release?"""
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return told["path"] in ANSWER_PATHS and told["status"] == 200 and bool(told["release"])
