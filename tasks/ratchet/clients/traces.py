"""Where a run's spans go: to a collector by OTLP where ratchet.toml names one, and on one machine into a file per run.

<state>/traces/<trace id>.jsonl    a span a line, as the SDK writes it
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from opentelemetry.trace import StatusCode

from ratchet import __version__
from ratchet.clients.settings import Settings
from ratchet.core.log import log
from ratchet.core.telemetry import RunTrace, Value, span, tracing_with, within

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

SERVICE = "ratchet"
# A collector that is away must not keep a step waiting.
EXPORT_SECONDS = 5.0


def traces_folder(settings: Settings) -> Path:
    return settings.state / "traces"


def trace_file(settings: Settings, run: RunTrace) -> Path:
    return traces_folder(settings) / f"{run.trace_id:032x}.jsonl"


@contextmanager
def traced(settings: Settings, traceparent: str | None, name: str, attributes: Mapping[str, Value]) -> Iterator[None]:
    """A span around a step's whole work, below the one that `traceparent` names; without one there is no trace."""
    if traceparent is None:
        yield
        return
    with (
        _provider(settings, traceparent) as provider,
        tracing_with(provider.get_tracer(SERVICE, __version__)),
        within(traceparent),
        span(name) as current,
    ):
        current.set_attributes(attributes)
        yield


def tell_run(
    settings: Settings, run: RunTrace, name: str, times: tuple[datetime, datetime], attributes: Mapping[str, Value]
) -> None:
    """The root span of a run that has ended, and what is too old goes."""
    _forget(settings)
    with _provider(settings, run.traceparent, run) as provider:
        _tell(provider, name, times, attributes)


def tell_part(
    settings: Settings, run: RunTrace, name: str, times: tuple[datetime, datetime], attributes: Mapping[str, Value]
) -> None:
    """A span of what was no step's process: work that was found, an approval that was waited for."""
    with _provider(settings, run.traceparent) as provider, within(run.traceparent):
        _tell(provider, name, times, attributes)


def _tell(
    provider: "TracerProvider", name: str, times: tuple[datetime, datetime], attributes: Mapping[str, Value]
) -> None:
    began, ended = (int(at.timestamp() * 1e9) for at in times)
    told = provider.get_tracer(SERVICE, __version__).start_span(name, attributes=dict(attributes), start_time=began)
    if "error.type" in attributes:
        told.set_status(StatusCode.ERROR)
    told.end(ended)


@contextmanager
def _provider(settings: Settings, traceparent: str, root: RunTrace | None = None) -> Iterator["TracerProvider"]:
    """`root`: the next span without a parent gets these ids."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    ids = RandomIdGenerator()
    if root:
        ids.generate_trace_id, ids.generate_span_id = (lambda: root.trace_id), (lambda: root.span_id)  # type: ignore[method-assign]
    resource = Resource({"service.name": SERVICE, "service.version": __version__})
    provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
    for processor in _processors(settings, traceparent):
        provider.add_span_processor(processor)
    try:
        yield provider
    finally:
        provider.shutdown()


def _processors(settings: Settings, traceparent: str) -> Iterator["SpanProcessor"]:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

    if settings.traces.otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        url = f"{settings.traces.otlp_endpoint.rstrip('/')}/v1/traces"
        yield BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS))
    if settings.runtime == "process":
        lines = _Lines(traces_folder(settings) / f"{traceparent.split('-')[1]}.jsonl")
        yield SimpleSpanProcessor(ConsoleSpanExporter(out=cast(TextIO, lines), formatter=_line))


class _Lines:
    """Takes spans as long as the disk does. What it refuses fails no work, and is said once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_refused = False

    def write(self, line: str) -> None:
        if self._is_refused:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            self._is_refused = True
            log.warning("this run's spans cannot be kept", extra={"path": str(self._path), "error": error.strerror})

    def flush(self) -> None:
        """Each line was, when it was written."""


def _line(ended: Any) -> str:
    return f"{ended.to_json(indent=None)}\n"


def _forget(settings: Settings) -> None:
    oldest = time.time() - timedelta(days=settings.traces.days).total_seconds()
    for path in traces_folder(settings).glob("*.jsonl"):
        with suppress(FileNotFoundError):  # another run that ends now forgets too
            if path.stat().st_mtime < oldest:
                path.unlink()
