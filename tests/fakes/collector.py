"""A stand-in for an OpenTelemetry collector: takes spans by OTLP over HTTP and keeps them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.fakes.web import Answering, listening


@dataclass
class Collector:
    """`received`: what came to /v1/traces, as it came."""

    url: str = ""
    received: list[ExportTraceServiceRequest] = field(default_factory=list)

    def spans(self) -> list[Any]:
        scopes = [scope for got in self.received for of in got.resource_spans for scope in of.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def await_spans(self, num: int) -> list[Any]:
        """At least so many. Envoy sends what it has every five seconds."""
        deadline = time.monotonic() + 60.0
        while len(found := self.spans()) < num:
            assert time.monotonic() < deadline, f"{len(found)} of {num} spans in 60 s"
            time.sleep(0.05)
        return found


def told(of: Any) -> dict[str, str]:
    """The attributes of a span, or of a resource."""
    return {one.key: one.value.string_value for one in of.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(Answering):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.body() if self.headers["Content-Length"] else self._chunks()
            known = self.path == "/v1/traces"
            if known:
                collector.received.append(ExportTraceServiceRequest.FromString(body))
            self.answer(200 if known else 404)

        def _chunks(self) -> bytes:
            body = b""
            while num_bytes := int(self.rfile.readline(), 16):
                body += self.rfile.read(num_bytes)
                self.rfile.readline()
            self.rfile.readline()
            return body

    with listening(Handler) as port:
        collector.url = f"http://127.0.0.1:{port}"
        yield collector
