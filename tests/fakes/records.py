"""Records that never were, as the journals of a line keep them."""

from datetime import datetime, timedelta
from typing import Any

from tests.fakes.events import NOON, sha

from ratchet.core.datasets import DatasetVersion
from ratchet.core.drills import Drill
from ratchet.core.notices import Notice
from ratchet.core.refs import FileRef


def version(rows: FileRef, **changes: Any) -> DatasetVersion:
    """Of mia's one upload, which is the rows; the first of its dataset."""
    fields: dict[str, Any] = {
        "dataset": "tickets",
        "seq": 0,
        "rows": rows,
        "num_rows": 1,
        "num_quarantined": 0,
        "uploads": (rows,),
        "receipt": rows,
        "at": NOON,
        "by": "mia",
    }
    return DatasetVersion.model_validate({**fields, **changes})


def drill(**changes: Any) -> Drill:
    """Of release "a" on blue, which answered at once."""
    fields: dict[str, Any] = {
        "line": "support",
        "at": NOON,
        "release_id": "a",
        "model_sha256": sha("a"),
        "colour": "blue",
        "cold_start": False,
        "ready_seconds": 0.5,
        "switch_seconds": 0.01,
        "num_golden": 2,
        "num_agreed": 2,
    }
    return Drill.model_validate({**fields, **changes})


def notice(at: datetime, **changes: Any) -> Notice:
    """That mia was asked then, and has three days."""
    fields: dict[str, Any] = {
        "line": "support",
        "moment": "asked",
        "at": at,
        "run_id": "next",
        "release_id": "next",
        "approvers": ("mia",),
        "page": "p",
        "asked_at": at,
        "rejects_at": at + timedelta(days=3),
    }
    return Notice.model_validate({**fields, **changes})
