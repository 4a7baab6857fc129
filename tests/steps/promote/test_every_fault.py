"""Each call of store, router, engine and registry that a step makes fails in every way; then the step is run again."""

import itertools
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

import pytest
from tests.fakes.events import sha
from tests.fakes.faults import CLIENTS, KINDS, Call, Faults, Kind, methods, only, seeded
from tests.fakes.invariants import check_always, check_settled, failure_is_mapped
from tests.fakes.memory import memory_folder
from tests.fakes.operations import OPERATIONS, Operation
from tests.fakes.release_world import ReleaseWorld, answering

from ratchet.clients import probe, way_back
from ratchet.clients.bucket import Bucket, StoreAway
from ratchet.clients.registry import RegistryUnavailable, follow_ledger
from ratchet.clients.settle import settle
from ratchet.stage import ready

NUM_STORMS = 6
Begin = Callable[[Operation], ReleaseWorld]


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[bool, str]]:
    with answering() as good, answering(bad=frozenset({sha("b")})) as bad:
        yield {False: good, True: bad}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_back, "READY_TIMEOUT_SECONDS", 0.0)
    for module in (probe, ready):
        monkeypatch.setattr(module, "POLL_SECONDS", 0.001)


@pytest.fixture
def begin(urls: dict[bool, str]) -> Iterator[Begin]:
    """Makes worlds in which the operation is about to happen."""
    with memory_folder() as folder:
        numbers = itertools.count()
        prepared: dict[str, ReleaseWorld] = {}

        def beginning(operation: Operation) -> ReleaseWorld:
            if operation.name not in prepared:
                first = prepared[operation.name] = ReleaseWorld(folder / str(next(numbers)), urls[operation.is_bad])
                operation.before(first)
                first.switch.history.clear()
            return prepared[operation.name].twin(folder / str(next(numbers)))

        yield beginning


def _end(place: ReleaseWorld) -> tuple[Any, ...]:
    """What the operation leaves behind, disturbed or not. A second attempt may write the same intent again."""
    settle(place.world, place.line)
    follow_ledger(place.world.registry, place.line, place.world.ledger(place.line).events())
    check_settled(place)
    state = place.switch.state
    assert state is not None
    kinds = Counter(kind for kind in place.kinds if kind != "promoting")
    return state.active, state.active_model, state.weights, place.engines.held, place.live, kinds


def _act(operation: Operation, place: ReleaseWorld) -> None:
    """It ends well, or as one who is on call can read."""
    try:
        operation.act(place)
    except Exception as error:
        failure_is_mapped(error)


def _some_of_each(calls: Sequence[Call]) -> list[Call]:
    """Every method. Of one that is called again and again (the ledger is read, a canary probed) the first and last."""
    of: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        of.setdefault((call.client, call.method), []).append(call)
    return [call for alike in of.values() for call in dict.fromkeys([*alike[:2], alike[-1]])]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_fault_at_any_call_leaves_a_sound_world_and_a_second_run_ends_where_an_undisturbed_one_does(
    begin: Begin, operation: Operation, kind: Kind
) -> None:
    undisturbed = begin(operation)
    operation.act(undisturbed)
    calls, expected = _some_of_each(undisturbed.faults.calls), _end(undisturbed)

    problems = {}
    for call in calls:
        place = begin(operation)
        place.faults.follow(only(call, kind))
        try:
            _act(operation, place)
            place.faults.clear()
            check_always(place)
            operation.act(place)
            assert _end(place) == expected
        except Exception as error:
            problems[call] = "".join(traceback.format_exception(error)[-2:])

    assert problems == {}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_however_many_faults_come_at_once_the_first_quiet_run_mends_all(begin: Begin, operation: Operation) -> None:
    undisturbed = begin(operation)
    operation.act(undisturbed)
    expected = _end(undisturbed)

    for seed in range(NUM_STORMS):
        place = begin(operation)
        place.faults.follow(seeded(seed, rate=0.15))
        for _ in range(3):
            _act(operation, place)
        place.faults.clear()
        check_always(place)
        operation.act(place)
        assert _end(place) == expected, f"seed {seed}"


class Tomorrow(Bucket, Protocol):
    """The store's border, once it has one more method."""

    def measure(self, key: str) -> int: ...


def test_a_method_that_a_client_gets_tomorrow_is_struck_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Measuring:
        def measure(self, key: str) -> int:
            return 1

    monkeypatch.setitem(CLIENTS, "bucket", (Tomorrow, StoreAway))
    faults = Faults()
    bucket = faults.wrap("bucket", Measuring())

    assert bucket.measure("key") == 1
    faults.follow(only(Call("bucket", "measure", 0), "before"))
    with pytest.raises(StoreAway):
        bucket.measure("key")


def test_each_kind_of_fault_is_what_it_says() -> None:
    done: list[str] = []

    class Registry:
        def finish_run(self, run_id: str) -> None:
            done.append(run_id)

    faults = Faults()
    registry = faults.wrap("registry", Registry())
    seen = {}
    for kind in KINDS:
        done.clear()
        faults.follow(only(Call("registry", "finish_run", 0), kind))
        with suppress(RegistryUnavailable):
            registry.finish_run("struck")
        at_first = len(done)
        faults.clear()
        seen[kind] = at_first, len(done)

    assert seen == {"before": (0, 0), "after": (1, 1), "late": (0, 1), "twice": (2, 2)}


def test_every_border_of_a_promotion_is_covered() -> None:
    covered = {f"{client}.{method}" for client, (protocol, _) in CLIENTS.items() for method in methods(protocol)}

    assert {"bucket.create", "router.write", "engine.load", "registry.set_aliases"} <= covered
    assert len(covered) >= 22
