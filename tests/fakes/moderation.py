"""A classifier of harmful texts behind OpenAI's moderation API: a word list, on loopback."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

INSULTS = ("idiot", "moron")

Reply = Callable[[list[str]], tuple[int, Any]]


def wordlist(texts: list[str]) -> tuple[int, Any]:
    """A tiny classifier: a text with an insult is harassment."""
    harms = [any(word in text.lower() for word in INSULTS) for text in texts]
    return 200, {"results": [{"flagged": harm, "categories": {"harassment": harm, "hate": False}} for harm in harms]}


@contextmanager
def moderation(reply: Reply) -> Iterator[tuple[str, list[Any]]]:
    """OpenAI's moderation API on loopback; its address, and the headers and bodies that it was sent."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, self.headers["Authorization"], body))
            status, answer = reply(body["input"])
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Location", "http://127.0.0.1:9/v1/moderations")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
