"""Ledger events and stories for tests: release "b" has model sha("b"), and so on."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from ratchet.core.refs import FolderRef
from ratchet.core.releases import EventKind, Evidence, LedgerEvent

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def model(name: str) -> FolderRef:
    return FolderRef(uri=f"store://blobs/{name}", sha256=sha(name), bytes=1)


def evidence(release: str, baseline: str = "a") -> Evidence:
    return Evidence(
        candidate_sha256=sha(release),
        baseline_sha256=sha(baseline),
        bundle_sha256=sha(f"bundle {release}"),
        report_sha256=sha(f"report {release}"),
        recipe_sha256=sha("recipe"),
    )


def event(kind: EventKind, release: str, **fields: Any) -> LedgerEvent:
    made: dict[str, Any] = {
        "line": "support",
        "kind": kind,
        "at": NOON,
        "by": "mia",
        "release_id": release,
        "model": model(release),
        "dataset_sha256": None if kind == "bootstrap" else sha(f"data {release}"),
        "evidence": evidence(release) if kind == "approved" else None,
    }
    return LedgerEvent(**{**made, **fields})


def story(*events: LedgerEvent) -> list[LedgerEvent]:
    return [
        entry.model_copy(update={"seq": seq, "at": NOON + timedelta(minutes=seq)}) for seq, entry in enumerate(events)
    ]


RELEASED = story(event("bootstrap", "a"), event("approved", "b"), event("promoting", "b"), event("promoted", "b"))
ROLLED_BACK = story(*RELEASED, event("rolled_back", "a", dataset_sha256=None))
