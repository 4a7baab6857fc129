"""Runs in a pod in the place of an engine: answers as release "a" on blue would, or as the header `want` says."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Engine(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        wanted = self.headers.get("want", "200")
        body = json.dumps({"id": f"chatcmpl-{self.headers['x-request-id']}", "choices": []}).encode()
        self.send_response(200 if wanted == "cut" else int(wanted))
        self.send_header("x-ratchet-colour", "blue")
        self.send_header("x-model-release", "a")
        self.send_header("Connection", "close")  # as engines behind a Service do
        self.send_header("Content-Length", str(len(body) + (wanted == "cut")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


ThreadingHTTPServer(("", 8000), Engine).serve_forever()
