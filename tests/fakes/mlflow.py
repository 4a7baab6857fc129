"""What MLflow's REST API answers about aliases; the same calls meet real MLflow in tests/steps/registry."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ratchet.clients.registry import MODEL_TAG


@dataclass
class Registered:
    """One registered model: alias to model digest. A line that is not `known` is not registered."""

    aliases: dict[str, str] = field(default_factory=dict)
    known: bool = True

    def reply(self, path: str, asked: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if not self.known:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such registered model"}
        digests = sorted(set(self.aliases.values()))
        if path.endswith("/registered-models/get"):
            told = [{"alias": a, "version": str(digests.index(d) + 1)} for a, d in self.aliases.items()]
            return 200, {"registered_model": {"name": asked["name"][0], "aliases": told}}
        tag = {"key": MODEL_TAG, "value": digests[int(asked["version"][0]) - 1]}
        return 200, {"model_version": {"version": asked["version"][0], "tags": [tag]}}


@contextmanager
def answering(registered: Registered) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            status, content = registered.reply(asked.path, parse_qs(asked.query))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
