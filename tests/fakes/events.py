"""Ledger events and stories for tests: release "b" has model sha("b"), and so on."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from ratchet.core.proposal import Proposal
from ratchet.core.refs import FileRef, FolderRef, blob_uri
from ratchet.core.releases import EventKind, Evidence, LedgerEvent
from ratchet.core.serving import ServedParts
from ratchet.promote.contract import PromoteInputs

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def model(name: str) -> FolderRef:
    return FolderRef(uri=blob_uri(sha(name)), sha256=sha(name), bytes=1)


def parts(release: str) -> ServedParts:
    """What serves a release of the adapter lane."""
    return ServedParts(adapter=model(f"adapter of {release}"), base=model("base"))


def evidence(release: str, baseline: str = "a", served_as: ServedParts | None = None) -> Evidence:
    return Evidence(
        candidate_sha256=sha(release),
        baseline_sha256=sha(baseline),
        bundle_sha256=sha(f"bundle {release}"),
        report_sha256=sha(f"report {release}"),
        recipe_sha256=sha("recipe"),
        adapter_sha256=served_as.adapter.sha256 if served_as else None,
        base_sha256=served_as.base.sha256 if served_as else None,
    )


def folder(sha256: str) -> FolderRef:
    return FolderRef(uri=blob_uri(sha256), sha256=sha256, bytes=1)


def promotion(release: str = "b", baseline: str = "a", **fields: Any) -> PromoteInputs:
    """What promote is asked for release; `fields` may change evidence, model, parts, dataset_sha256, approvers."""
    bound: Evidence = fields.get("evidence", evidence(release, baseline))
    dataset_sha256 = fields.get("dataset_sha256", sha(f"data {release}"))
    proposal = Proposal(
        line="support",
        release_id=release,
        candidate=fields.get("model", model(release)),
        baseline=folder(bound.baseline_sha256),
        bundle=folder(bound.bundle_sha256),
        report=FileRef(uri=blob_uri(bound.report_sha256), sha256=bound.report_sha256, bytes=1),
        dataset=FileRef(uri=blob_uri(dataset_sha256), sha256=dataset_sha256, bytes=1),
        recipe_sha256=bound.recipe_sha256,
        parts=fields.get("parts"),
    )
    return PromoteInputs(proposal=proposal, approvers=fields.get("approvers", ("mia", "noor")))


def event(kind: EventKind, release: str, **fields: Any) -> LedgerEvent:
    made: dict[str, Any] = {
        "line": "support",
        "kind": kind,
        "at": NOON,
        "by": "mia",
        "release_id": release,
        "model": model(release),
        "dataset_sha256": None if kind == "bootstrap" else sha(f"data {release}"),
        "evidence": evidence(release, served_as=fields.get("parts")) if kind == "approved" else None,
    }
    return LedgerEvent(**{**made, **fields})


def story(*events: LedgerEvent) -> list[LedgerEvent]:
    return [
        entry.model_copy(update={"seq": seq, "at": NOON + timedelta(minutes=seq)}) for seq, entry in enumerate(events)
    ]


RELEASED = story(event("bootstrap", "a"), event("approved", "b"), event("promoting", "b"), event("promoted", "b"))
ROLLED_BACK = story(*RELEASED, event("rolled_back", "a", dataset_sha256=None))
