"""The events of the ledger, and what they say about production."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, NonNegativeInt

from ratchet.core.contract import Contract, Sha256
from ratchet.core.refs import FolderRef
from ratchet.core.serving import ServedParts

Colour = Literal["blue", "green"]
EventKind = Literal["bootstrap", "approved", "rejected", "promoting", "aborted", "promoted", "baked", "rolled_back"]
# As long as promote may take (dags/release.py): an older intent belongs to nobody.
PROMOTION_HOURS = 12


class Evidence(Contract):
    """What an approval binds. If any of these changed since, the approval is void.

    `adapter_sha256` and `base_sha256`: what serves, where that is not the merged candidate itself.
    """

    candidate_sha256: Sha256
    baseline_sha256: Sha256
    bundle_sha256: Sha256
    report_sha256: Sha256
    recipe_sha256: Sha256
    adapter_sha256: Sha256 | None = None
    base_sha256: Sha256 | None = None


class LedgerEvent(Contract):
    """One line of the ledger. `seq` is set by the ledger when it appends; the chain of digests is the journal's own.

    `model` is the model that the event is about (for a roll-back: the one gone back to), `by` a user's name. Of a
    decision `asked_by` is who started the run that asked for it; empty for one that started by its schedule. `parts`
    are what serves in the adapter lane; None for a merged model, and for a roll-back, where the promotion says it.
    """

    schema_version: Literal[1] = 1
    line: str
    seq: NonNegativeInt = 0
    kind: EventKind
    at: AwareDatetime
    by: str
    asked_by: str = ""
    release_id: str
    model: FolderRef
    parts: ServedParts | None = None
    dataset_sha256: Sha256 | None = None
    colour: Colour | None = None
    evidence: Evidence | None = None
    note: str = ""


class Production(Contract):
    """A release that was, or is, in production. `kind` and `seq` are those of the event that made it so."""

    release_id: str
    model: FolderRef
    parts: ServedParts | None
    dataset_sha256: Sha256 | None
    seq: NonNegativeInt
    kind: EventKind
    is_bootstrap: bool


def production_history(events: Sequence[LedgerEvent]) -> list[Production]:
    """Every change of production, oldest first; the last one is live."""
    history: list[Production] = []
    for event in events:
        if event.kind in ("bootstrap", "promoted"):
            history.append(_production(event, is_bootstrap=event.kind == "bootstrap"))
        elif event.kind == "rolled_back":
            # Roll-back writes its event without the ledger at hand, so the rest of the release is looked up.
            before = find_release(history, event.release_id, event.model.sha256)
            found = before or _production(event, is_bootstrap=False)
            history.append(found.model_copy(update={"model": event.model, "seq": event.seq, "kind": event.kind}))
    return history


def production(events: Sequence[LedgerEvent]) -> Production | None:
    history = production_history(events)
    return history[-1] if history else None


def previous_production(events: Sequence[LedgerEvent]) -> Production | None:
    """What a roll-back goes to when no release is named: the model that the last promotion replaced.

    None after a roll-back: a second one would lead forward to the model just left, or further back than anyone asked.
    """
    history = production_history(events)
    return history[-2] if len(history) > 1 and history[-1].kind == "promoted" else None


def find_release(history: Sequence[Production], release_id: str, model_sha256: str = "") -> Production | None:
    """The newest entry of that release; with a digest, only if it was with that model."""
    return next(
        (
            entry
            for entry in reversed(history)
            if entry.release_id == release_id and model_sha256 in ("", entry.model.sha256)
        ),
        None,
    )


def last_decision(events: Sequence[LedgerEvent], release_id: str) -> LedgerEvent | None:
    """The newest approval or rejection of a release."""
    decisions = ("approved", "rejected")
    return next((e for e in reversed(events) if e.kind in decisions and e.release_id == release_id), None)


def approved_on(events: Sequence[LedgerEvent], release_id: str, model_sha256: str) -> Sha256 | None:
    """Digest of the decision record that exactly this model was last approved on; None for what needed no approval."""
    approvals = (
        event.evidence.report_sha256
        for event in reversed(events)
        if event.kind == "approved"
        and event.evidence
        and (event.release_id, event.model.sha256) == (release_id, model_sha256)
    )
    return next(approvals, None)


def open_intents(events: Sequence[LedgerEvent]) -> list[LedgerEvent]:
    """The intents to promote since production last changed, oldest first; without those that were given up."""
    live = production(events)
    since = [e for e in events if live is None or e.seq > live.seq]
    given_up = [e for e in since if e.kind == "aborted"]
    return [
        e for e in since if e.kind == "promoting" and not any(_same(e, end) and end.seq > e.seq for end in given_up)
    ]


def under_way(events: Sequence[LedgerEvent], now: datetime) -> LedgerEvent | None:
    """The first intent to promote that somebody may be carrying out now."""
    since = now - timedelta(hours=PROMOTION_HOURS)
    return next((intent for intent in open_intents(events) if intent.at > since), None)


def aborted_since_decision(events: Sequence[LedgerEvent], release_id: str) -> LedgerEvent | None:
    """The event that gave the promotion up, if that was after the newest word on the release."""
    decision = last_decision(events, release_id)
    after = [e for e in events if decision is not None and e.seq > decision.seq]
    return next((e for e in reversed(after) if e.kind == "aborted" and e.release_id == release_id), None)


def refusal(events: Sequence[LedgerEvent], event: LedgerEvent) -> str | None:
    """Why `event` must not follow `events`, or None when it may."""
    if not events and event.kind != "bootstrap":
        return "the first event must be a bootstrap"
    approval, intents, history = (
        last_decision(events, event.release_id),
        open_intents(events),
        production_history(events),
    )
    rules: dict[EventKind, tuple[bool, str]] = {
        "bootstrap": (not events, "a bootstrap is allowed only in an empty ledger"),
        "approved": (
            event.evidence is not None and _is_about(event.evidence, event),
            "an approval must carry evidence about exactly its own model, and about what serves it",
        ),
        "promoting": (
            approval is not None and approval.kind == "approved" and _serves_same(approval, event),
            "no approval of this release with this model, served so, stands before it",
        ),
        "aborted": (
            any(_same(intent, event) for intent in intents),
            "no intent to promote this release with this model stands",
        ),
        "promoted": (
            any(_serves_same(intent, event) for intent in intents),
            "no intent to promote this release with this model, served so, stands since production last changed",
        ),
        "rolled_back": (
            find_release(history, event.release_id, event.model.sha256) is not None,
            "this release with this model was never in production",
        ),
    }
    allowed, reason = rules.get(event.kind, (True, ""))
    return None if allowed else reason


def _production(event: LedgerEvent, is_bootstrap: bool) -> Production:
    return Production(
        release_id=event.release_id,
        model=event.model,
        parts=event.parts,
        dataset_sha256=event.dataset_sha256,
        seq=event.seq,
        kind=event.kind,
        is_bootstrap=is_bootstrap,
    )


def _same(one: LedgerEvent, two: LedgerEvent) -> bool:
    return (one.release_id, one.model.sha256) == (two.release_id, two.model.sha256)


def _serves_same(one: LedgerEvent, two: LedgerEvent) -> bool:
    return _same(one, two) and one.parts == two.parts


def _is_about(evidence: Evidence, event: LedgerEvent) -> bool:
    parts = (event.parts.adapter.sha256, event.parts.base.sha256) if event.parts else (None, None)
    bound = evidence.candidate_sha256, evidence.adapter_sha256, evidence.base_sha256
    return bound == (event.model.sha256, *parts)
