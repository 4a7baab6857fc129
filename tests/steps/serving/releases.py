"""Two releases, each loaded on its colour, and their promotions: the real steps, the real ledger, the real router."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import httpx
from tests.steps.serving.conftest import TASK, Serving, wait
from tests.steps.serving.load import Users
from tests.steps.serving.models import PROMPTS

from ratchet.clients.engine import LoadedModel
from ratchet.clients.registry import PRODUCTION
from ratchet.core.contract import digest_json
from ratchet.core.proposal import Proposal
from ratchet.core.refs import FolderRef
from ratchet.core.releases import production, production_history
from ratchet.core.rollout import RouterState, other
from ratchet.promote.contract import Canary, CanarySettings, PromoteInputs
from ratchet.rollback import run as rollback
from ratchet.rollback.contract import RollbackInputs

LINE = "support"
APPROVER = "mia"
QUICK_CANARY = CanarySettings(
    steps=(25, 60),
    step_seconds=0.3,
    max_stretch=1000.0,  # a busy machine must not make a canary undecided
    probe_interval_seconds=0.01,
    min_requests=2,
    max_latency_ratio=50.0,
)


@dataclass(frozen=True)
class Releases:
    """A release answers everything with its own name."""

    serving: Serving
    models: dict[str, FolderRef]

    @classmethod
    def loaded(cls, serving: Serving) -> Self:
        """ "base" is on blue and has the users, "tuned" on green."""
        made = cls(serving, {name: serving.model(name) for name in ("base", "tuned")})
        made.load_green("tuned")
        return made

    def load_green(self, name: str) -> None:
        """Returns when it answers; an engine that died is started again by the supervisor."""
        engine, model = self.serving.world.engine, self.models[name]
        engine.load("green", LoadedModel(release_id=name, model=model))
        wait(lambda: engine.problem("green", model.sha256) is None, 300)

    def back_to_base(self) -> None:
        rollback.run(self.going_back("the test ends", to="base"), self.serving.world)

    @property
    def state(self) -> RouterState:
        state = self.serving.world.router.read()
        assert state is not None
        return state

    @property
    def live(self) -> str:
        return self.state.active_release

    @property
    def waiting(self) -> str:
        """The release that is loaded and has no users."""
        loaded = self.serving.world.engine.loaded(other(self.state.active))
        assert loaded is not None
        return loaded.release_id

    def approved(self, canary: CanarySettings | None = None, evaluated_as: str = "") -> PromoteInputs:
        """What promote is asked to do with the waiting release, which was approved just now.

        `evaluated_as`: what it said to everything when it was evaluated; what it says now, if not given.
        """
        serving, name, model = self.serving, self.waiting, self.models[self.waiting]
        stand_in = serving.world.store.put_bytes(b"what the approval binds besides the model")
        proposal = Proposal(
            line=LINE,
            release_id=name,
            candidate=model,
            baseline=self.models[self.live],
            bundle=model,
            report=stand_in,
            dataset=stand_in,
            recipe_sha256=digest_json({}),
        )
        approval = proposal.event("approved", datetime.now(UTC), APPROVER, "looks good")
        serving.world.ledger(LINE).append(lambda events: approval)
        asked = canary and Canary(
            settings=canary,
            prompts=serving.prompts(evaluated_as or name),
            candidate_report=serving.report(model, evaluated_as or name),
            task=TASK,
        )
        return PromoteInputs(proposal=proposal, approvers=(APPROVER,), canary=asked)

    def going_back(self, reason: str, to: str = "") -> RollbackInputs:
        return RollbackInputs(line=LINE, by="omar", reason=reason, to_release=to)

    def assert_sound(self) -> None:
        """One production, which was approved, and users are answered by what has them; the ledger verifies."""
        world, state = self.serving.world, self.state
        world.ledger(LINE).verify()
        events = world.ledger(LINE).events()
        allowed = {event.release_id for event in events if event.kind in ("bootstrap", "approved")}
        assert {state.active_release, *(state.releases[c] for c, weight in state.weights.items() if weight)} <= allowed
        assert sum(state.weights.values()) == 100
        assert httpx.get(f"{world.router.url()}/health").json()["release"] == state.active_release
        if state.canary is None:
            assert state.weights[state.active] == 100
            assert self.answered_by() == state.active_release

    def assert_told(self) -> None:
        """The ledger, the registry and the router say the same."""
        events, aliases = self.serving.world.ledger(LINE).events(), self.serving.world.registry.aliases(LINE)
        live = production(events)
        assert live is not None
        assert (live.release_id, live.model.sha256) == (self.live, self.state.active_model)
        if any(entry.kind == "promoted" for entry in production_history(events)[-1:]):
            assert aliases[PRODUCTION] == live.model.sha256

    def answered_by(self) -> str:
        with httpx.Client(timeout=60.0, trust_env=False) as http:
            answered = Users(self.serving.world.router.url(), LINE, PROMPTS[1]).ask(http)
        assert answered.text == answered.release
        return answered.release
