"""Which colour has the users, how that changes, and what the ledger must say about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import NonNegativeInt, model_validator

from ratchet.core.contract import Contract
from ratchet.core.errors import TerminalError
from ratchet.core.releases import (
    Colour,
    LedgerEvent,
    Production,
    find_release,
    open_intents,
    production,
    production_history,
)


class RouterState(Contract):
    """`weights` are percent of new requests per colour; `active` has the users, `previous` can be gone back to at once.

    While a canary is under way the other colour has a weight too, or is the `shadow`: it gets a copy of each request,
    and its answers are dropped. The users still belong to `active`: without a word from anybody they stay there.

    `releases` and `models` name what each colour serves, as release id and model digest, so that roll-back needs only
    this record. `ledger_seq` is the event that last ordered traffic to move forward; a roll-back leaves it as it is,
    so that an intent which was carried out and undone is told from one that was never carried out. For the same reason
    `canary_seq` is the intent of the latest canary until its candidate, or another release, gets all users.
    """

    active: Colour
    previous: Colour | None
    weights: dict[Colour, NonNegativeInt]
    releases: dict[Colour, str]
    models: dict[Colour, str]
    ledger_seq: NonNegativeInt | None
    shadow: Colour | None = None
    canary_seq: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.active not in self.releases or self.active not in self.models:
            raise ValueError(f"{self.active} is active, but `releases` and `models` do not say what it serves")
        if sum(self.weights.values()) != 100:
            raise ValueError(f"weights are percent and must sum to 100, got {self.weights}")
        if self.shadow == self.active:
            raise ValueError(f"{self.active} has the users, so it cannot be their shadow")
        return self

    @property
    def active_release(self) -> str:
        return self.releases[self.active]

    @property
    def active_model(self) -> str:
        return self.models[self.active]

    @property
    def canary(self) -> Colour | None:
        """The colour that is being tried with users' requests; None when there is none."""
        tried = other(self.active)
        return tried if self.weights.get(tried, 0) or self.shadow == tried else None

    def serves(self, release_id: str, model_sha256: str) -> bool:
        return self.active_release == release_id and self.active_model == model_sha256


class Unexplained(TerminalError, RuntimeError):
    """Users are served by something that the ledger never released."""

    code = "PRODUCTION_STRAYED"


class NothingToSwap(TerminalError, LookupError):
    """No colour is previous."""

    code = "NO_WAY_BACK"


@dataclass(frozen=True)
class Author:
    """Who did what the ledger is about to be told, why, and when."""

    by: str
    note: str
    at: datetime


def other(colour: Colour) -> Colour:
    return "green" if colour == "blue" else "blue"


def first_state(colour: Colour, release_id: str, model_sha256: str, seq: int) -> RouterState:
    """All traffic on the only colour that serves anything."""
    return RouterState(
        active=colour,
        previous=None,
        weights=_all_to(colour),
        releases={colour: release_id},
        models={colour: model_sha256},
        ledger_seq=seq,
    )


def switched_to(state: RouterState, colour: Colour, release_id: str, model_sha256: str, seq: int) -> RouterState:
    """Forward: `colour` gets all traffic, the colour that had it is kept to go back to."""
    return RouterState(
        active=colour,
        previous=other(colour),
        weights=_all_to(colour),
        releases={**state.releases, colour: release_id},
        models={**state.models, colour: model_sha256},
        ledger_seq=seq,
    )


def with_canary(state: RouterState, release_id: str, model_sha256: str, percent: int, seq: int) -> RouterState:
    """The other colour gets `percent` of the requests; with 0 it is the shadow of those that `active` answers.

    Nothing is previous then: the colour that could be gone back to holds the candidate.
    """
    tried = other(state.active)
    return state.model_copy(
        update={
            "previous": None,
            "weights": {state.active: 100 - percent, tried: percent},
            "releases": {**state.releases, tried: release_id},
            "models": {**state.models, tried: model_sha256},
            "shadow": None if percent else tried,
            "canary_seq": seq,
        }
    )


def without_canary(state: RouterState) -> RouterState:
    """All traffic on the colour that has the users anyway."""
    return state.model_copy(update={"weights": _all_to(state.active), "shadow": None})


def swapped_back(state: RouterState) -> RouterState:
    """Back: the previous colour gets all traffic.

    Raises:
        NothingToSwap: no colour is previous.
    """
    if state.previous is None:
        raise NothingToSwap(f"no colour is previous to {state.active} ({state.active_release}): nothing to go back to")
    return went_back_to(state, state.previous, state.releases[state.previous], state.models[state.previous])


def went_back_to(state: RouterState, colour: Colour, release_id: str, model_sha256: str) -> RouterState:
    """Back to an earlier release on `colour`. Nothing is previous then, or a second roll-back would lead forward."""
    return RouterState(
        active=colour,
        previous=None,
        weights=_all_to(colour),
        releases={**state.releases, colour: release_id},
        models={**state.models, colour: model_sha256},
        ledger_seq=state.ledger_seq,
    )


def unrecorded(events: Sequence[LedgerEvent], state: RouterState, author: Author) -> LedgerEvent | None:
    """The event that the ledger lacks about where the users already are: the command that moved them was cut short.

    Raises:
        Unexplained: the active colour serves what was neither in production before nor intended for it.
    """
    live = production(events)
    intents = open_intents(events)
    if live and state.serves(live.release_id, live.model.sha256):
        if any(intent.seq == state.ledger_seq for intent in intents):
            return _went_back(events[0].line, live, state.active, author)
        return _ended(intents, state, author)
    for intent in reversed(intents):
        if state.serves(intent.release_id, intent.model.sha256):
            done = {"kind": "promoted", "seq": 0, "at": author.at, "colour": state.active, "note": intent.note}
            return intent.model_copy(update=done)
    before = find_release(production_history(events), state.active_release, state.active_model)
    if before:
        return _went_back(events[0].line, before, state.active, author)
    raise Unexplained(
        f"{state.active} has the users with release {state.active_release!r}, model {state.active_model[:12]}, but the "
        f"ledger says {live.release_id if live else 'nothing'} is live and knows no such intent: "
        "find out who moved traffic; `ratchet rollback --to RELEASE` puts a released model back"
    )


def _ended(intents: Sequence[LedgerEvent], state: RouterState, author: Author) -> LedgerEvent | None:
    """The users are where they were before a canary that nobody said the end of."""
    tried = next((intent for intent in intents if intent.seq == state.canary_seq), None)
    if tried is None or state.canary:
        return None
    told = {"kind": "aborted", "seq": 0, "at": author.at, "by": author.by, "note": author.note}
    return tried.model_copy(update=told)


def _went_back(line: str, to: Production, colour: Colour, author: Author) -> LedgerEvent:
    return LedgerEvent(
        line=line,
        kind="rolled_back",
        at=author.at,
        by=author.by,
        release_id=to.release_id,
        model=to.model,
        dataset_sha256=to.dataset_sha256,
        colour=colour,
        note=author.note,
    )


def _all_to(colour: Colour) -> dict[Colour, int]:
    return {colour: 100, other(colour): 0}
