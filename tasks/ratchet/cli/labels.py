"""`ratchet labels FILE`: what the truth about answers turned out to be, kept for the daily look at what they are worth.

request_id,label
chatcmpl-9f0c…,change_address
"""

import csv
import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from ratchet.cli.here import Here
from ratchet.clients.captured import exchanges
from ratchet.clients.labels import labels
from ratchet.core.contract import Contract
from ratchet.core.errors import TerminalError
from ratchet.core.feedback import request_id_of
from ratchet.core.redact import redacted
from ratchet.serving.capture import forget, write

MAX_BYTES = 64 << 20
_Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00]+$")]


class Label(Contract):
    """`request_id` is a request's (x-request-id), or an answer's (its `id`)."""

    request_id: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(min_length=1, max_length=256)
    label: _Said


class BadLabels(TerminalError, ValueError):
    """The file does not say which answer should have been what. No label is told."""

    code = "DATA_UNUSABLE"


def take(here: Here, options: Namespace) -> None:
    """Keeps all of the file, or nothing of it. Raises BadLabels."""
    folder, now = here.settings.labels_dir, datetime.now(UTC)
    read = list(_read(options.file))
    for label in read:
        record = {"request_id": request_id_of(label.request_id), "label": redacted(label.label)}
        write(folder, f"{now.date()}-labels.jsonl", record)
    forget(folder, now.date() - timedelta(days=here.settings.edge.feedback_days))
    told = labels(folder)
    known = [one for one in exchanges(here.settings.capture_dir, date.min, now.date()) if one.request_id in told]
    right = sum(one.answer == told[str(one.request_id)] for one in known)
    here.console.print(
        f"{len(read)} labels are kept. Of all that are, {len(known)} are of answers that are kept too "
        f"([edge] capture_share, capture_days): {right} of these answers are right. The DAG quality_{here.recipe.line} "
        "compares them with what the gate measured (docs/quality.md)",
        markup=False,  # it has brackets
    )


def _read(path: Path) -> Iterator[Label]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadLabels(f"{path} has {path.stat().st_size:,} bytes, expected up to {MAX_BYTES:,}: send it in parts")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _json_lines(file) if path.suffix in (".jsonl", ".json") else csv.DictReader(file)
            for number, row in enumerate(rows, start=1):
                yield _label(path, number, row)
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise BadLabels(f"{path}: cannot be read as CSV, or as JSON lines (.jsonl): {type(error).__name__}") from None


def _json_lines(file: Iterator[str]) -> Iterator[Mapping[str, object]]:
    return (json.loads(line) for line in file if line.strip())


def _label(path: Path, number: int, row: Mapping[str, object]) -> Label:
    try:
        return Label.model_validate({name: row.get(name) for name in Label.model_fields})
    except (ValidationError, AttributeError):
        raise BadLabels(
            f"{path}, row {number}: expected `request_id`, the id of a request or of its answer, and `label`, what the "
            "answer should have been, both not empty; nothing of the file was kept"
        ) from None
