"""The steps that act on a release world, each with how the world comes to be where it acts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes import releases
from tests.fakes.events import model, promotion, sha
from tests.fakes.fuse import Killed
from tests.fakes.records import version
from tests.fakes.release_world import ReleaseWorld, loaded
from tests.fakes.release_world import rollback as going_back

from ratchet.bake import run as bake
from ratchet.drill import run as drill
from ratchet.promote import run as promote
from ratchet.resolve import run as resolve
from ratchet.resolve.contract import ResolveInputs
from ratchet.rollback import run as rollback
from ratchet.stage import run as stage
from ratchet.unload import run as unload

Act = Callable[[ReleaseWorld], Any]
AFTER_THE_FIRST_SHARE, AFTER_THE_SWITCH = 3, 3  # moments of a fuse


@dataclass(frozen=True)
class Operation:
    """`act` is what faults strike; it may be run again. With `is_bad` candidate "b" answers what nobody evaluated."""

    name: str
    act: Act
    before: Act = lambda place: None
    is_bad: bool = False


def promote_at_once(place: ReleaseWorld) -> Any:
    return promote.run(promotion(), place.world)


def promote_by_canary(place: ReleaseWorld) -> Any:
    return promote.run(releases.by_canary(place), place.world)


def roll_back(place: ReleaseWorld) -> Any:
    return rollback.run(going_back(), place.world)


def _killed(act: Act, moment: int) -> Act:
    def until(place: ReleaseWorld) -> None:
        place.fuse.set(moment)
        try:
            act(place)
        except Killed:
            return
        finally:
            place.fuse.set(None)
        raise AssertionError(f"it ended before moment {moment}")

    return until


def approve_c(place: ReleaseWorld) -> None:
    """Release "b" is live on green, and "c" is approved on blue, where "a" was."""
    of_b = releases.bound(place, "b", baseline="a")
    place.say("approved", "b", evidence=of_b)
    promote.run(promotion(evidence=of_b), place.world)
    place.engines.held["blue"] = loaded("c")
    place.say("approved", "c", evidence=releases.bound(place, "c", baseline="b"))


def canary_of_c(place: ReleaseWorld) -> None:
    approve_c(place)
    asked = promotion("c", baseline="b", evidence=releases.bound(place, "c", baseline="b"))
    asked = releases.with_canary_of(place, asked)
    _killed(lambda place: promote.run(asked, place.world), AFTER_THE_FIRST_SHARE)(place)


def release_c(place: ReleaseWorld) -> None:
    approve_c(place)
    asked = promotion("c", baseline="b", evidence=releases.bound(place, "c", baseline="b"))
    promote.run(asked, place.world)


def submit(place: ReleaseWorld) -> None:
    place.world.store.create("bases/tiny.json", model("tiny"))
    rows = place.world.store.put_bytes(b'{"id":"1","text":"t","label":"y"}\n')
    place.world.datasets("tickets").append(lambda versions: version(rows))


def resolve_it(place: ReleaseWorld) -> Any:
    asked = ResolveInputs(
        line=place.line, dataset="tickets", base="tiny", recipe_sha256=sha("recipe"), min_new_examples=1
    )
    return resolve.run(asked, place.world)


def _both(*acts: Act) -> Act:
    def doing(place: ReleaseWorld) -> None:
        for act in acts:
            act(place)

    return doing


OPERATIONS = (
    Operation("promote at once", promote_at_once),
    Operation("promote by canary", promote_by_canary),
    Operation("promote a bad candidate by canary", promote_by_canary, is_bad=True),
    Operation("go on with a canary that was cut short", promote_by_canary, _killed(promote_by_canary, 3)),
    Operation("roll back", roll_back, promote_at_once),
    Operation("roll back in a canary", roll_back, canary_of_c),
    Operation("roll back to a release that is not loaded", lambda p: _to(p, "a"), release_c),
    Operation("stage", lambda p: stage.run(releases.staging(p), p.world), lambda p: p.engines.held.pop("green")),
    Operation("unload", lambda p: unload.run(releases.unloading(), p.world)),
    Operation("unload in a canary", lambda p: unload.run(releases.unloading(), p.world), _killed(promote_by_canary, 3)),
    Operation("bake a bad release", lambda p: bake.run(releases.baking(p), p.world), promote_at_once, is_bad=True),
    Operation("resolve after a promotion that was cut short", resolve_it, _both(submit, _killed(promote_at_once, 3))),
    Operation("rehearse a roll-back", lambda p: drill.run(releases.rehearsal(), p.world), release_c),
)


def _to(place: ReleaseWorld, release: str) -> Any:
    return rollback.run(going_back(to_release=release), place.world)
