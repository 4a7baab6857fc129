"""Is what serves what was approved? Judged row by row on gathered facts; a silence is never taken for a yes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from ratchet.core.releases import Colour, LedgerEvent, Production, last_decision, previous_production, production
from ratchet.core.rollout import RouterState
from ratchet.core.serving import ServedParts

Standing = Literal["ok", "differs", "cannot tell"]
EXIT_DIFFERS, EXIT_CANNOT_TELL = 1, 3
ALIAS = "alias "
ROLL_BACK = "`ratchet rollback --to RELEASE` puts a released model back; find out who changed this"

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Heard(Generic[Answer]):
    """What one part of the platform answered: a value; else a `fault`, an answer that cannot be right whatever was
    expected; else a `silence`, why it could not be asked.
    """

    value: Answer | None = None
    fault: str = ""
    silence: str = ""


@dataclass(frozen=True)
class AtEdge:
    """The headers of a live answer to a user."""

    release_id: str | None
    colour: str | None


@dataclass(frozen=True)
class Facts:
    """Digests are of model folders. `files` was computed from bytes, at `files_where`, as `files_of` spells it;
    `engine` is the digest under which the active colour answered. `num_waiting` events are beside the router, not in
    the ledger yet.
    """

    line: str
    ledger: Heard[Sequence[LedgerEvent]]
    num_waiting: int
    router: Heard[RouterState]
    engine: Heard[str]
    files: Heard[str]
    files_where: str
    edge: Heard[AtEdge]
    aliases: Heard[Mapping[str, str]]


@dataclass(frozen=True)
class Row:
    """One thing that was looked at. `remedy` says what to do, where it is not ok."""

    what: str
    standing: Standing
    expected: str
    got: str
    where: str
    remedy: str = ""

    @property
    def is_behind(self) -> bool:
        """An alias that is not as the ledger says: after a roll-back, until the next release. It decides nothing."""
        return self.what.startswith(ALIAS) and self.standing == "differs"


def verify(facts: Facts) -> list[Row]:
    """Every row, whatever the others say. Without a whole ledger nobody knows what the rest should be."""
    ledger = _ledger(facts)
    events = facts.ledger.value if ledger.standing == "ok" and facts.ledger.value else ()
    live = production(events)
    expected = live.model.sha256 if live else None
    return [
        ledger,
        _approval(facts, events, live),
        _router(facts, live),
        _row(
            "engine",
            facts.engine,
            expected,
            "the active colour, asked under the model's digest",
            "`ratchet status`; it answers as another model or with broken numbers: " + ROLL_BACK,
        ),
        _row(
            "served files",
            facts.files,
            files_of(live.model.sha256, live.parts) if live else None,
            facts.files_where,
            "the engine verifies them at each start: find out who wrote there, move the users to the other colour "
            "(`ratchet rollback`), and `ratchet reload` fetches them anew",
        ),
        _edge(facts, live),
        *_aliases(facts, events, live),
    ]


def files_of(model_sha256: str, parts: ServedParts | None) -> str:
    """What an engine's folders should be: the model's digest, or those of adapter and base."""
    return parts.digests if parts else model_sha256


def exit_code(rows: Sequence[Row]) -> int:
    standings = {row.standing for row in rows if not row.is_behind}
    if "differs" in standings:
        return EXIT_DIFFERS
    return EXIT_CANNOT_TELL if "cannot tell" in standings else 0


def _row(what: str, heard: Heard[str], expected: str | None, where: str, remedy: str) -> Row:
    """`expected` is None where the ledger does not say what to expect."""
    standing: Standing = "ok" if heard.value == expected else "differs"
    if heard.silence or (expected is None and not heard.fault):
        standing = "cannot tell"
    if heard.fault:
        standing = "differs"
    return Row(
        what=what,
        standing=standing,
        expected=expected or "what the ledger says, which is not known",
        got=heard.fault or heard.silence or heard.value or "nothing",
        where=where,
        remedy={"ok": "", "differs": remedy, "cannot tell": "bring it up, or mend the ledger first; then verify again"}[
            standing
        ],
    )


def _said(heard: Heard[Answer], told: Callable[[Answer], str]) -> Heard[str]:
    value = None if heard.value is None else told(heard.value)
    return Heard(value, heard.fault, heard.silence)


def _ledger(facts: Facts) -> Row:
    """The chain of digests, and its end: the newest event has no successor to vouch for it, but the router's has."""
    state, events = facts.router.value, facts.ledger.value
    heard = _said(facts.ledger, lambda found: f"{len(found)} events, each with the digest of the one before")
    if state and events is not None and state.ledger_seq is not None and state.ledger_seq >= len(events):
        heard = Heard(
            fault=f"{len(events)} events, but users were moved by event {state.ledger_seq}: the newest were removed"
        )
    return _row(
        "ledger",
        heard,
        heard.value,
        f"ledger/{facts.line}/ in the store",
        "put the original record back from a copy of the store; until then nothing is released, but a roll-back works",
    )


def _approval(facts: Facts, events: Sequence[LedgerEvent], live: Production | None) -> Row:
    heard = _approved(events, live) if live else Heard[str](silence="the ledger names nothing in production")
    return _row(
        "approval",
        heard,
        heard.value,
        f"ledger/{facts.line}/ in the store",
        "this went live without a person's yes to exactly these bytes: " + ROLL_BACK,
    )


def _approved(events: Sequence[LedgerEvent], live: Production) -> Heard[str]:
    """What the ledger says about the approval of `live`, before it first went live as it is now."""
    promotion = next(
        event
        for event in reversed(events[: live.seq + 1])
        if event.kind in ("bootstrap", "promoted")
        and (event.release_id, event.model.sha256) == (live.release_id, live.model.sha256)
    )
    if promotion.kind == "bootstrap":
        return Heard(f"{live.release_id} is the untuned base, which needs none")
    before = events[: promotion.seq]
    decision, baseline = last_decision(before, live.release_id), production(before)
    if decision is None:
        return Heard(fault=f"no approval of {live.release_id} stands before event {promotion.seq}, which promoted it")
    if decision.kind == "rejected":
        return Heard(fault=f"event {decision.seq} by {decision.by} rejected {live.release_id}, yet it was promoted")
    if different := _differences(decision, promotion, baseline):
        return Heard(
            fault=f"event {decision.seq} approved something else than event {promotion.seq} promoted: "
            + "; ".join(different)
        )
    return Heard(f"event {decision.seq}: approved by {decision.by}, {decision.at:%Y-%m-%d %H:%M} UTC")


def _differences(approval: LedgerEvent, promotion: LedgerEvent, baseline: Production | None) -> list[str]:
    approved = approval.evidence.model_dump() if approval.evidence else {}
    promoted = promotion.evidence.model_dump() if promotion.evidence else {}
    pairs = {name: (approved.get(name), promoted.get(name)) for name in {**approved, **promoted}}
    pairs["model"] = approved.get("candidate_sha256"), promotion.model.sha256
    pairs["production then"] = approved.get("baseline_sha256"), baseline and baseline.model.sha256
    return [
        f"{name.removesuffix('_sha256')}: {_short(was)} approved, {_short(now)} promoted"
        for name, (was, now) in pairs.items()
        if was != now
    ]


def _router(facts: Facts, live: Production | None) -> Row:
    waiting = (
        f"{facts.num_waiting} events wait beside the router, and the next release or roll-back writes them; else "
        if facts.num_waiting
        else ""
    )
    return _row(
        "router",
        _said(facts.router, lambda state: f"{state.active_release}, model {state.active_model}"),
        f"{live.release_id}, model {live.model.sha256}" if live else None,
        "the router's state",
        f"{waiting}a command that was cut short is finished by running it again; else {ROLL_BACK}",
    )


def _edge(facts: Facts, live: Production | None) -> Row:
    colour: Colour | None = facts.router.value.active if facts.router.value else None
    return _row(
        "edge",
        _said(facts.edge, lambda answer: f"{answer.release_id} on {answer.colour}"),
        f"{live.release_id} on {colour}" if live and colour else None,
        "the headers of a live answer to a user",
        "the edge has not taken the router's state: see its log; " + ROLL_BACK,
    )


def _aliases(facts: Facts, events: Sequence[LedgerEvent], live: Production | None) -> list[Row]:
    """The registry mirrors the ledger; it is first told of a line by its first release."""
    previous = previous_production(events)
    before = previous.model.sha256 if previous else "none"
    wanted = {"production": live.model.sha256, "previous": before} if live else {}
    untold = bool(live and live.is_bootstrap and facts.aliases.value == {})
    return [
        _row(
            f"{ALIAS}{name}",
            _said(facts.aliases, lambda found, name=name: found.get(name, "none")),  # type: ignore[misc]
            "none" if untold else wanted.get(name),
            f"MLflow, registered model {facts.line}",
            "the alias is behind: the next release mends it; it decides nothing",
        )
        for name in ("production", "previous")
    ]


def _short(sha256: str | None) -> str:
    return sha256[:12] if sha256 else "nothing"
