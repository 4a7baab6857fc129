"""Whatever happens to a line, in whatever order: hypothesis looks for a story after which users are not well served.

One release is staged at a time (`max_active_runs=1`), so nothing is staged while another command is half done.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.fakes import invariants, operations, releases
from tests.fakes.events import promotion
from tests.fakes.faults import seeded
from tests.fakes.fuse import Killed
from tests.fakes.memory import memory_folder
from tests.fakes.release_world import ReleaseWorld
from tests.fakes.release_world import rollback as going_back

from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState
from ratchet.drill import run as drill
from ratchet.promote import run as promote
from ratchet.rollback import run as rollback
from ratchet.stage import run as stage
from ratchet.unload import run as unload

NUM_STORIES, NUM_STEPS = 75, 40  # 3,000 commands
CANDIDATES = st.sampled_from(["b", "c", "d"])
COLOURS = st.sampled_from(["blue", "green"])
MOMENTS = st.integers(0, 15)
SEEDS = st.integers(0, 999)
# How a command ends: well; killed at a moment; in a storm of faults.
FATES = st.one_of(st.none(), st.tuples(st.just("killed"), MOMENTS), st.tuples(st.just("storm"), SEEDS))


class Clock:
    """Stands in for `datetime` where a step asks what time it is."""

    ahead = timedelta()

    @classmethod
    def now(cls, zone: Any) -> datetime:
        return datetime.now(zone) + cls.ahead


class Line(RuleBasedStateMachine):
    """Three candidates come and go. `baselines`: what was live when each was last trained."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.place = ReleaseWorld(self.stack.enter_context(memory_folder()), self.url)
        for module in ("promote.run", "clients.settle", "drill.run"):
            self.stack.enter_context(patch(f"ratchet.{module}.datetime", Clock))
        self.stack.callback(setattr, Clock, "ahead", timedelta())
        operations.submit(self.place)
        self.baselines = {"b": "a", "c": "a", "d": "a"}
        self.checked: object = None

    def teardown(self) -> None:
        self.stack.close()

    def _do(self, act: Callable[[], object], fate: tuple[str, int] | None = None) -> None:
        """It ends well, or by death, or with an error that says what to do."""
        kind, number = fate or ("", 0)
        if kind == "killed":
            self.place.fuse.set(number)
        if kind == "storm":
            self.place.faults.follow(seeded(number, rate=0.1))
        try:
            _ends_in_words(act)
        except Killed:
            assert kind == "killed"
        finally:
            self.place.fuse.set(None)
            self.place.faults.clear()

    def _overtaken(self, act: Callable[[], object], moment: int, by: Callable[[], object]) -> None:
        """Somebody else's whole command happens between two effects of this one."""
        self.place.fuse.set(moment, meanwhile=lambda: _ends_in_words(by))
        self._do(act)

    # a release

    @rule(release=CANDIDATES, fate=FATES)
    def train(self, release: str, fate: Any) -> None:
        def training() -> None:
            self.baselines[release] = self.place.live
            asked = releases.staging(self.place, release)
            stage.run(asked, self.place.world)

        self._do(training, fate)

    @rule(release=CANDIDATES, by=st.sampled_from(["mia", "noor", "eve"]))
    def approve(self, release: str, by: str) -> None:
        self._do(lambda: self._say("approved", release, by))

    @rule(release=CANDIDATES)
    def reject(self, release: str) -> None:
        self._do(lambda: self._say("rejected", release, "noor"))

    @rule(release=CANDIDATES, shared=st.booleans(), fate=FATES)
    def promote(self, release: str, shared: bool, fate: Any) -> None:
        self._do(lambda: self._promote(release, shared), fate)

    @rule(release=CANDIDATES, fate=FATES)
    def train_approve_and_promote(self, release: str, fate: Any) -> None:
        self.train(release, None)
        self.approve(release, "mia")
        self.promote(release, False, fate)

    @rule(release=CANDIDATES, fate=FATES)
    def unload(self, release: str, fate: Any) -> None:
        self._do(lambda: unload.run(releases.unloading(release), self.place.world), fate)

    @rule(fate=FATES)
    def resolve(self, fate: Any) -> None:
        self._do(lambda: operations.resolve_it(self.place), fate)

    @rule(fate=FATES)
    def rehearse(self, fate: Any) -> None:
        self._do(lambda: drill.run(releases.rehearsal(), self.place.world), fate)

    # the way back

    @rule(by=st.sampled_from(["omar", "noor"]), fate=FATES)
    def roll_back(self, by: str, fate: Any) -> None:
        self._do(lambda: self._roll_back(by), fate)

    @rule(release=st.sampled_from(["a", "b", "c", "d"]), fate=FATES)
    def roll_back_to(self, release: str, fate: Any) -> None:
        self._do(lambda: rollback.run(going_back(to_release=release), self.place.world), fate)

    # two at once

    @rule(
        release=CANDIDATES,
        shared=st.booleans(),
        moment=MOMENTS,
        other=st.sampled_from(["roll_back", "promote", "resolve", "reject"]),
    )
    def promote_overtaken(self, release: str, shared: bool, moment: int, other: str) -> None:
        others: dict[str, Callable[[], object]] = {
            "roll_back": lambda: self._roll_back("omar"),
            "promote": lambda: self._promote(release, shared=False),
            "resolve": lambda: operations.resolve_it(self.place),
            "reject": lambda: self._say("rejected", release, "noor"),
        }
        self._overtaken(lambda: self._promote(release, shared), moment, others[other])

    @rule(moment=MOMENTS)
    def roll_back_pressed_by_two(self, moment: int) -> None:
        self._overtaken(lambda: self._roll_back("omar"), moment, lambda: self._roll_back("noor"))

    # what the machines do

    @rule(colour=COLOURS)
    def engine_dies(self, colour: Colour) -> None:
        self.place.engines.dead.add(colour)

    @rule(colour=COLOURS)
    def engine_hangs(self, colour: Colour) -> None:
        self.place.engines.hung.add(colour)

    @rule(colour=COLOURS)
    def engine_restarts(self, colour: Colour) -> None:
        self.place.engines.dead.discard(colour)
        self.place.engines.hung.discard(colour)

    @rule(away=st.booleans())
    def store(self, away: bool) -> None:
        self.place.bucket.away = away

    @rule(away=st.booleans())
    def registry(self, away: bool) -> None:
        self.place.registry.away = away

    @rule()
    def router_restarts(self) -> None:
        """It comes back with what it had written."""
        assert self.place.switch.state is not None
        self.place.switch.state = RouterState.model_validate_json(self.place.switch.state.canonical_json())

    @rule(hours=st.sampled_from([-1, 1]))
    def clock_moves(self, hours: int) -> None:
        Clock.ahead += timedelta(hours=hours)

    # what must hold

    @invariant()
    def users_are_well_served(self) -> None:
        state = self.place.switch.state
        assert state is not None
        invariants.one_production(state)
        invariants.users_have_an_engine(self.place, state)
        moment = self._moment()
        if not self.place.bucket.away and moment != self.checked:
            invariants.check_always(self.place)
            self.place.switch.history.clear()
            self.checked = moment

    @rule()
    def all_is_mended(self) -> None:
        """Nothing is away any more, and the next release begins: I4."""
        self.place.bucket.away = self.place.registry.away = False
        operations.resolve_it(self.place)
        invariants.check_settled(self.place)

    def _moment(self) -> object:
        """Many commands are refused and change nothing."""
        engines, platform = self.place.engines, self.place.folder / ".ratchet"
        told = [path.name for folder in ("store/ledger", "waiting") for path in (platform / folder).rglob("*.json")]
        ill = frozenset(engines.dead), frozenset(engines.hung)
        return self.place.switch.state, dict(engines.held), ill, sorted(told)

    def _say(self, kind: str, release: str, by: str) -> None:
        bound = releases.bound(self.place, release, self.baselines[release])
        self.place.say(kind, release, by=by, evidence=bound, at=Clock.now(UTC))

    def _promote(self, release: str, shared: bool) -> None:
        bound = releases.bound(self.place, release, self.baselines[release])
        asked = promotion(release, baseline=self.baselines[release], evidence=bound)
        asked = asked.model_copy(update={"approval_valid_hours": 2})
        promote.run(releases.with_canary_of(self.place, asked) if shared else asked, self.place.world)

    def _roll_back(self, by: str) -> None:
        rollback.run(going_back(by=by), self.place.world)


def _ends_in_words(act: Callable[[], object]) -> None:
    """It ends well, or with an error that says what to do."""
    try:
        act()
    except Exception as error:
        invariants.failure_is_mapped(error)


@pytest.mark.timeout(900)
def test_no_story_of_commands_and_faults_leaves_users_badly_served(
    engines_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Line, "url", engines_url)
    for module in ("clients.probe", "stage.ready"):
        monkeypatch.setattr(f"ratchet.{module}.POLL_SECONDS", 0.001)
    monkeypatch.setattr("ratchet.clients.way_back.READY_TIMEOUT_SECONDS", 0.0)

    run_state_machine_as_test(
        Line,
        settings=settings(
            max_examples=NUM_STORIES,
            stateful_step_count=NUM_STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
