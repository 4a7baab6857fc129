"""May traffic move to the candidate now? Decided from the ledger alone, and closed whenever something does not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ratchet.core.errors import NotSetUp, TerminalError, TransientError
from ratchet.core.releases import Colour, LedgerEvent, Production, last_decision, production, production_history
from ratchet.core.rollout import RouterState
from ratchet.core.serving import ServedParts
from ratchet.promote.contract import PromoteInputs

CLOCK_TOLERANCE = timedelta(minutes=10)


class ApprovalVoid(TerminalError, PermissionError):
    """Nobody who may has approved exactly this, for the production that is live now."""

    code = "APPROVAL_VOID"


class NotStaged(TerminalError, LookupError):
    """The preview colour holds something else than the candidate."""

    code = "APPROVAL_VOID"


class PreviewAway(TransientError, ConnectionError):
    """The candidate is on the preview colour, but does not answer now."""

    code = "SERVE_NOT_READY"


@dataclass(frozen=True)
class Preview:
    """What the colour without users holds: its digest, and why it would not answer if it got traffic.

    `parts` are what it was told to load instead of the model, in the adapter lane.
    """

    colour: Colour
    model_sha256: str | None
    problem: str | None
    parts: ServedParts | None = None


def plan(
    events: Sequence[LedgerEvent], state: RouterState, preview: Preview, inputs: PromoteInputs, at: datetime
) -> LedgerEvent | None:
    """The intent to write before traffic moves; None when the candidate has the users already.

    `events` and `state` agree with each other (clients.settle).

    Raises:
        ApprovalVoid: there is no approval, or something that it binds has changed since.
        NotStaged: another model was loaded over the candidate.
        PreviewAway: the candidate does not answer; a retry may help.
    """
    live = production(events)
    if live is None:
        raise NotSetUp(f"the ledger of {inputs.line} is empty: run `ratchet up`, which releases the base model")
    if state.serves(inputs.release_id, inputs.model.sha256):
        return None
    approval = _valid_approval(events, live, inputs, at)
    if preview.model_sha256 != inputs.model.sha256:
        raise NotStaged(
            f"{preview.colour} holds {_short(preview.model_sha256)}, expected the candidate "
            f"{_short(inputs.model.sha256)} of {inputs.release_id}: a later run was staged over it; "
            "run the release again"
        )
    if preview.parts != inputs.proposal.parts:
        raise NotStaged(
            f"{preview.colour} serves the candidate as {_told(preview.parts)}, but {_told(inputs.proposal.parts)} was "
            "approved; run the release again"
        )
    if preview.problem:
        raise PreviewAway(f"{preview.colour} is not fit for users, so traffic stays where it is: {preview.problem}")
    return LedgerEvent(
        line=inputs.line,
        kind="promoting",
        at=at,
        by=approval.by,
        release_id=inputs.release_id,
        model=inputs.model,
        parts=inputs.proposal.parts,
        dataset_sha256=inputs.dataset_sha256,
        colour=preview.colour,
        evidence=inputs.evidence,
        note=approval.note,
    )


def _valid_approval(
    events: Sequence[LedgerEvent], live: Production, inputs: PromoteInputs, at: datetime
) -> LedgerEvent:
    decision = last_decision(events, inputs.release_id)
    if decision is None:
        raise ApprovalVoid(
            f"{inputs.release_id} has no approval in the ledger: `ratchet approve`, or answer in Airflow"
        )
    problem = _problem(events, live, decision, inputs) or _lapsed(decision, inputs, at)
    if problem:
        raise ApprovalVoid(f"the decision about {inputs.release_id} (event {decision.seq} by {decision.by}) {problem}")
    return decision


def _problem(
    events: Sequence[LedgerEvent], live: Production, decision: LedgerEvent, inputs: PromoteInputs
) -> str | None:
    """Why `decision` does not allow this promotion; None when it does."""
    if decision.kind == "rejected":
        return f"was to reject it: {decision.note or 'no reason given'}"
    if changed := _changes(decision, inputs):
        return f"is void, because these changed since: {', '.join(changed)}; look at the new report and approve that"
    if decision.by not in inputs.approvers:
        named = ", ".join(inputs.approvers) or "nobody"
        return f"is void, because {decision.by!r} is not among the recipe's approvers now ({named})"
    later = [entry for entry in production_history(events) if entry.seq > decision.seq]
    if later:
        return (
            f"is void, because production changed after it: event {later[-1].seq}, {later[-1].kind} of "
            f"{later[-1].release_id}; run the release again and approve that"
        )
    if inputs.evidence.baseline_sha256 != live.model.sha256:
        return (
            f"is void, because it compares with baseline {_short(inputs.evidence.baseline_sha256)}, but production is "
            f"{_short(live.model.sha256)} ({live.release_id}); run the release again and approve that"
        )
    return None


def _lapsed(decision: LedgerEvent, inputs: PromoteInputs, at: datetime) -> str | None:
    """Clocks of two machines differ by less than the tolerance."""
    age, limit = at - decision.at, timedelta(hours=inputs.approval_valid_hours)
    if age > limit + CLOCK_TOLERANCE:
        return (
            f"is void, because it is {age.total_seconds() / 3600:.0f} hours old, and the recipe lets one stand for "
            f"{inputs.approval_valid_hours}; look at the report again and approve anew"
        )
    if inputs.two_people and decision.by == decision.asked_by:
        return f"is void, because {decision.by!r} also started the run, and the recipe asks for two people"
    return None


def _changes(approval: LedgerEvent, inputs: PromoteInputs) -> list[str]:
    """What the approval binds that is not what would be promoted, in words."""
    approved = approval.evidence.model_dump() if approval.evidence else {}
    pairs = {name: (approved.get(name), value) for name, value in inputs.evidence.model_dump().items()}
    pairs["model"] = (approval.model.sha256, inputs.model.sha256)
    pairs["dataset"] = (approval.dataset_sha256, inputs.dataset_sha256)
    return [
        f"{name.removesuffix('_sha256')} ({_short(before)} approved, {_short(now)} now)"
        for name, (before, now) in pairs.items()
        if before != now
    ]


def _told(parts: ServedParts | None) -> str:
    return parts.digests if parts else "the merged model"


def _short(sha256: str | None) -> str:
    return sha256[:12] if sha256 else "nothing"
