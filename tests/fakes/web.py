"""Real web servers on loopback: what others answer over HTTP, as a test chooses it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Answering(BaseHTTPRequestHandler):
    """Write the `do_…` of a request; it is not logged."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port of a server with that handler."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def web_server(statuses: list[int]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Takes messages as a chat or a pager would; its address, and what it was sent.

    It answers with `statuses` in turn, the last one for ever.
    """
    received: list[dict[str, Any]] = []

    class Handler(Answering):
        def do_POST(self) -> None:
            received.append(json.loads(self.body()))
            self.answer(statuses[min(len(received), len(statuses)) - 1])

    with listening(Handler) as port:
        yield f"127.0.0.1:{port}", received
