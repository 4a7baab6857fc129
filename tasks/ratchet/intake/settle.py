"""What becomes of a dropped file, and what is said beside it."""

import json
from dataclasses import dataclass
from typing import Any

from ratchet.clients.world import World
from ratchet.core.refs import FileRef
from ratchet.intake.drop import Drop, Dropped, Outcome
from ratchet.intake.versions import Added, Refused
from ratchet.validate.contract import ValidateOutputs
from ratchet.validate.page import render

RECEIPT_SUFFIX, PAGE_SUFFIX, QUARANTINE_SUFFIX = ".receipt.json", ".receipt.html", ".quarantine.jsonl"


@dataclass(frozen=True)
class Ending:
    """How an upload ended, in one sentence; `checked` is None for a file that could not be read."""

    outcome: Outcome
    sentence: str
    checked: ValidateOutputs | None = None
    added: Added | None = None


def settle(world: World, drop: Drop, dropped: Dropped, ending: Ending) -> str:
    """Move the file to where it belongs, beside its receipt and its quarantined rows; says where."""
    told = told_of(world, dropped.name, ending)
    beside = {RECEIPT_SUFFIX: as_json(told)}
    if ending.checked:
        beside[PAGE_SUFFIX] = render(told)
    if ending.checked and ending.checked.num_quarantined:
        beside[QUARANTINE_SUFFIX] = world.store.read_bytes(ending.checked.quarantine)
    return drop.settle(dropped, ending.outcome, f"{dropped.mark}-{dropped.name}", beside)


def ending_of(file_name: str, checked: ValidateOutputs, outcome: Added | Refused) -> Ending:
    if isinstance(outcome, Refused):
        return Ending("refused", str(outcome), checked)
    return Ending("accepted", sentence_of(outcome, file_name), checked, outcome)


def sentence_of(added: Added, file_name: str) -> str:
    version = added.version
    if not added.is_new:
        return f"{file_name} adds nothing: version {version.seq} of {version.dataset} holds it already"
    left_out = f"; {version.num_forgotten} rows were left out because they were forgotten" * bool(version.num_forgotten)
    held = f"{file_name} is in version {version.seq} of {version.dataset}, which has {version.num_rows} rows{left_out}"
    return f"{held}; the next release trains on it"


def event_extra(added: Added) -> dict[str, Any]:
    """What the asset event tells whoever listens."""
    version = added.version
    return {
        "dataset": version.dataset,
        "version": version.seq,
        "rows_sha256": version.rows.sha256,
        "receipt_sha256": version.receipt.sha256,
        "num_rows": version.num_rows,
    }


def told_of(world: World, file_name: str, ending: Ending) -> dict[str, Any]:
    """validate's own receipt, where there is one, with what came of it."""
    receipt: FileRef | None = ending.checked.receipt if ending.checked else None
    told = json.loads(world.store.read_bytes(receipt)) if receipt else {"file": file_name}
    version = {**event_extra(ending.added), "is_new": ending.added.is_new} if ending.added else None
    return {**told, "status": ending.outcome.upper(), "sentence": ending.sentence, "version": version}


def as_json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, indent=1, ensure_ascii=False).encode()
