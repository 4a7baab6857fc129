"""Events with fields on stderr: JSON lines for machines, one readable line when a person watches.

A record: {"at": "2026-01-05T03:00:00.120+00:00", "level": "info", "event": "progress", "step": 10, "steps": 125}
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from opentelemetry import trace

log = logging.getLogger("ratchet")
PROGRESS = "progress"
# "readable" where nobody parses the lines, as in a pod: its log is what people see.
FORMAT_VARIABLE = "RATCHET_LOG"
_PLAIN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **fields_of(record)}
        if trace_id():
            line["trace_id"] = trace_id()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class Readable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        line = f"{at} {readable(record.getMessage(), fields_of(record))}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def trace_id() -> str | None:
    """Of the span that this code runs in, as OpenTelemetry writes it; None outside of any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _PLAIN}


def readable(event: str, fields: dict[str, Any]) -> str:
    """`event  name=value name=value`, numbers rounded to what a person reads."""
    shown = (f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in fields.items())
    return "  ".join([event, " ".join(shown)]).rstrip()


def configure(for_people: bool = False) -> None:
    """Send Ratchet's events to stderr, as JSON unless a person watches; called once by each entry point."""
    handler = logging.StreamHandler(sys.stderr)
    readably = for_people or sys.stderr.isatty() or os.environ.get(FORMAT_VARIABLE) == "readable"
    handler.setFormatter(Readable() if readably else JsonLines())
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def progress(**fields: float | str) -> None:
    """How far a long piece of work is: `step` of `steps`, and what a person wants to see beside it."""
    log.info(PROGRESS, extra=fields)
