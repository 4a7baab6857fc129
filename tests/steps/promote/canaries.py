"""Promotions with a canary, whole or killed at some moment."""

from tests.fakes.events import promotion
from tests.fakes.release_world import ReleaseWorld
from tests.fakes.releases import ANY_LATENCY, PATIENCE, with_canary_of

from ratchet.promote import run as promote
from ratchet.promote.contract import CanarySettings, PromoteOutputs

SETTINGS = CanarySettings(
    steps=(10, 50),
    step_seconds=0.02,
    max_stretch=PATIENCE,
    probe_interval_seconds=0.001,
    min_requests=4,
    max_latency_ratio=ANY_LATENCY,
)
# Intent, two shares, switch, event, two versions, their aliases: each with a before and an after.
MOMENTS = range(16)


def promoted(place: ReleaseWorld, settings: CanarySettings = SETTINGS) -> PromoteOutputs:
    return promote.run(with_canary_of(place, promotion(), settings), place.world)


def die_at(place: ReleaseWorld, moment: int) -> bool:
    asked = with_canary_of(place, promotion(), SETTINGS)
    return place.fuse.kills(moment, lambda: promote.run(asked, place.world))


def assert_users_are_back(place: ReleaseWorld) -> None:
    state = place.switch.state
    assert state is not None
    assert (state.active, state.weights, state.canary) == ("blue", {"blue": 100, "green": 0}, None)
    assert place.live == "a"
    place.world.ledger(place.line).verify()
