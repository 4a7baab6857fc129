"""What holds in a release world at every moment, whatever went wrong; by the numbers of docs/faults.md."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fakes.release_world import ReleaseWorld, rollback

from ratchet.clients.settle import author, foreseen
from ratchet.clients.way_back import NothingPrevious
from ratchet.core.errors import EXIT_NOTHING_TO_DO, EXIT_TERMINAL, EXIT_TRANSIENT, RatchetError
from ratchet.core.failures import failures
from ratchet.core.releases import LedgerEvent, last_decision, previous_production, production, production_history
from ratchet.core.rollout import RouterState
from ratchet.rollback.run import run as roll_back

APPROVERS = ("mia", "noor")
EVE = "eve"
MAPPED = {EXIT_TERMINAL, EXIT_TRANSIENT, EXIT_NOTHING_TO_DO}


def check_always(place: ReleaseWorld) -> None:
    """At every moment, also between a fault and its mending."""
    check_users(place)
    way_back_is_open(place)


def check_users(place: ReleaseWorld) -> None:
    state = _state(place)
    events = place.world.ledger(place.line).events()
    for seen in [*place.switch.history, state]:
        users_get_approved_models(events, seen)
        one_production(seen)
    users_have_an_engine(place, state)
    no_promotion_without_approval(events)
    place.world.ledger(place.line).verify()


def check_settled(place: ReleaseWorld) -> None:
    """Once the last command has ended well and nothing is away."""
    check_users(place)
    ledger_router_and_alias_agree(place)


def users_get_approved_models(events: Sequence[LedgerEvent], state: RouterState) -> None:
    """I1: whoever may get a request serves what was in production, or what is approved."""
    allowed = {entry.model.sha256 for entry in production_history(events)}
    allowed |= {event.model.sha256 for event in events if event.kind == "promoting"}
    asked = {colour for colour, weight in state.weights.items() if weight} | ({state.shadow} - {None})
    assert {state.models[colour] for colour in asked} <= allowed, state


def users_have_an_engine(place: ReleaseWorld, state: RouterState) -> None:
    """I1: the colours that users reach were told to serve what the router says they do."""
    for colour in {state.active, state.canary} - {None}:
        held = place.engines.held.get(colour)
        assert held is not None, f"{colour} has users and is empty"
        assert (held.release_id, held.model.sha256) == (state.releases[colour], state.models[colour])


def one_production(state: RouterState) -> None:
    """I2: one colour has the users; the other one at most a canary's share of their requests."""
    assert sum(state.weights.values()) == 100
    assert state.canary or state.weights[state.active] == 100


def no_promotion_without_approval(events: Sequence[LedgerEvent]) -> None:
    """I3: each intent follows a named approver's yes to exactly its evidence, against the production of then."""
    for event in events:
        if event.kind != "promoting":
            continue
        before = events[: event.seq]
        decision, live = last_decision(before, event.release_id), production(before)
        assert decision is not None
        assert live is not None
        assert (decision.kind, decision.evidence, decision.by in APPROVERS) == ("approved", event.evidence, True)
        assert decision.evidence is not None
        assert decision.evidence.candidate_sha256 == event.model.sha256
        assert decision.evidence.baseline_sha256 == live.model.sha256


def ledger_router_and_alias_agree(place: ReleaseWorld) -> None:
    """I4."""
    state, events = _state(place), place.world.ledger(place.line).events()
    live = production(events)
    assert live is not None
    assert state.serves(live.release_id, live.model.sha256), f"{state} but {live}"
    aliases, previous = place.registry.aliases(place.line), previous_production(events)
    if aliases:  # a line with the base alone need not be registered yet
        assert aliases["production"] == live.model.sha256
        assert aliases.get("previous") == (previous.model.sha256 if previous else None)


def failure_is_mapped(error: BaseException) -> None:
    """I8: a failure of our own, with an exit code, a code that `ratchet explain` knows, and words."""
    assert isinstance(error, RatchetError), repr(error)
    assert error.exit_code in MAPPED
    assert error.code in failures(), repr(error)
    assert len(str(error)) > 10


def way_back_is_open(place: ReleaseWorld) -> None:
    """I9: right now `ratchet rollback` works, wherever there is something to go back to, and names work too."""
    state = _state(place)
    events = foreseen(place.world, place.line, state, author(EVE, ""))
    ended_unsaid = (events[-1].kind, events[-1].by) == ("aborted", EVE)  # then the button says so, and does no more
    if state.canary or ended_unsaid:
        expected: str | None = state.active_release
    else:
        previous = previous_production(events)
        expected = previous.release_id if previous else None
    _in_a_twin(place, lambda twin: _goes_back(twin, expected))
    older = [entry.release_id for entry in production_history(events) if entry.release_id != state.active_release]
    if older:
        _in_a_twin(place, lambda twin: _goes_to(twin, older[0]))


def _goes_back(twin: ReleaseWorld, expected: str | None) -> None:
    try:
        outputs = roll_back(rollback(by=EVE), twin.world)
    except NothingPrevious:
        assert expected is None
        return
    assert outputs.release_id == twin.users_on == (expected or outputs.release_id)
    assert _state(twin).canary is None
    users_have_an_engine(twin, _state(twin))


def _goes_to(twin: ReleaseWorld, release: str) -> None:
    roll_back(rollback(by=EVE, to_release=release), twin.world)
    assert twin.users_on == twin.live == release
    users_have_an_engine(twin, _state(twin))


def _in_a_twin(place: ReleaseWorld, act: Callable[[ReleaseWorld], None]) -> None:
    with TemporaryDirectory(dir=place.folder) as folder:
        twin = place.twin(Path(folder))
        for ill in (twin.engines.broken, twin.engines.hung):
            ill.clear()  # where nothing comes up, or hangs, until somebody restarts it, there is no way back
        act(twin)


def _state(place: ReleaseWorld) -> RouterState:
    assert place.switch.state is not None
    return place.switch.state
