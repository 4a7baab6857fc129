"""What a release answered when it was approved, found again from the digest that the ledger keeps."""

import json
from collections.abc import Sequence

from ratchet.clients.store import Store
from ratchet.core.evaluation import EvalReport
from ratchet.core.golden import Golden, golden_prompts
from ratchet.core.refs import FileRef, blob_uri


def approved_answers(store: Store, record_sha256: str | None, task: str, count: int) -> Sequence[Golden]:
    """The first `count` prompts of the decision record with its answers; none for a release that needed no approval."""
    if record_sha256 is None:
        return ()
    # The ledger keeps the digest alone; the size is for people.
    record = FileRef(uri=blob_uri(record_sha256), sha256=record_sha256, bytes=0)
    evidence = json.loads(store.read_bytes(record))["evidence"]
    prompts, report = (FileRef.model_validate(evidence[name]) for name in ("prompts", "candidate_report"))
    measured = EvalReport.model_validate_json(store.read_bytes(report))
    return golden_prompts(store.read_bytes(prompts), measured, task, count)
