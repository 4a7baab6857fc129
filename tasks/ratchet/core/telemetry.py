"""Spans of work, and the ids of a run's trace. Where spans go, clients/traces.py says; without a trace they go nowhere.

Attributes have OpenTelemetry's names where it has one (cicd.*, error.type); our own begin with `ratchet.`. A span never
holds what a row, a prompt or an error's message says: of an error it has the class.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import context, trace
from opentelemetry.trace import Span, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PARENT_VARIABLE = "TRACEPARENT"
RUN_ID = "cicd.pipeline.run.id"

Value = str | bool | int | float


@dataclass(frozen=True)
class RunTrace:
    """The trace of one DAG run and the id of its root span: made of the run's names, so that every part knows them."""

    trace_id: int
    span_id: int

    @classmethod
    def of(cls, dag_id: str, run_id: str) -> "RunTrace":
        digest = hashlib.sha256(f"{dag_id}\0{run_id}".encode()).digest()
        return cls(int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]))

    @property
    def traceparent(self) -> str:
        """What a step finds in TRACEPARENT: W3C Trace Context, version 00, sampled."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"


class _Tracing:
    """This process's."""

    tracer: Tracer = trace.NoOpTracer()


@contextmanager
def tracing_with(tracer: Tracer) -> Iterator[None]:
    before, _Tracing.tracer = _Tracing.tracer, tracer
    try:
        yield
    finally:
        _Tracing.tracer = before


@contextmanager
def within(traceparent: str | None) -> Iterator[None]:
    """What happens here belongs to that trace, whether or not anything is told of it."""
    around = TraceContextTextMapPropagator().extract({"traceparent": traceparent or ""}, context.get_current())
    token = context.attach(around)
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[Span]:
    """A piece of the work around it; the attributes' names get the prefix `ratchet.`."""
    named = {f"ratchet.{key}": value for key, value in attributes.items()}
    with _Tracing.tracer.start_as_current_span(
        name, attributes=named, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(StatusCode.ERROR)
            raise
