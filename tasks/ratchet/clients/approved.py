"""What a release answered and scored when it was approved, found again from the digest that the ledger keeps."""

import json
from collections.abc import Sequence
from typing import Any

from ratchet.clients.store import Store
from ratchet.core.evaluation import EvalReport
from ratchet.core.golden import Golden, golden_prompts
from ratchet.core.refs import FileRef, blob_uri


def approved_answers(store: Store, record_sha256: str | None, task: str, count: int) -> Sequence[Golden]:
    """The first `count` prompts of the decision record with its answers; none for a release that needed no approval."""
    if record_sha256 is None:
        return ()
    evidence = _evidence(store, record_sha256)
    prompts = FileRef.model_validate(evidence["prompts"])
    return golden_prompts(store.read_bytes(prompts), _report(store, evidence), task, count)


def approved_report(store: Store, record_sha256: str | None) -> EvalReport | None:
    """What was measured of the release; None for one that needed no approval."""
    return _report(store, _evidence(store, record_sha256)) if record_sha256 else None


def _evidence(store: Store, record_sha256: str) -> dict[str, Any]:
    # The ledger keeps the digest alone; the size is for people.
    record = FileRef(uri=blob_uri(record_sha256), sha256=record_sha256, bytes=0)
    evidence: dict[str, Any] = json.loads(store.read_bytes(record))["evidence"]
    return evidence


def _report(store: Store, evidence: dict[str, Any]) -> EvalReport:
    report = FileRef.model_validate(evidence["candidate_report"])
    return EvalReport.model_validate_json(store.read_bytes(report))
