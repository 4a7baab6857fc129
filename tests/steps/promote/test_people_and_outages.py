"""Faults with a name: people who come too late or all at once, clocks, edited files, services that are down."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes import operations, releases
from tests.fakes.events import evidence, model, promotion, sha
from tests.fakes.faults import Call, only
from tests.fakes.invariants import check_always, check_settled
from tests.fakes.release_world import ReleaseWorld, loaded
from tests.fakes.release_world import rollback as going_back
from tests.fakes.threads import at_once

from ratchet.clients.bucket import StoreAway
from ratchet.clients.ledger import BrokenJournal
from ratchet.clients.router import EnvoyRouter, MovedMeanwhile
from ratchet.clients.settings import Ports
from ratchet.clients.store import DigestMismatch
from ratchet.clients.world import World
from ratchet.core.releases import LedgerEvent
from ratchet.promote import run as promote
from ratchet.promote.contract import PromoteOutputs
from ratchet.promote.plan import ApprovalVoid, NotStaged
from ratchet.rollback import run as rollback
from ratchet.rollback.contract import RollbackOutputs
from ratchet.stage import run as stage

NUM_AT_ONCE = 4


@pytest.fixture
def edge(place: ReleaseWorld) -> EnvoyRouter:
    """The real router's record, with nobody listening at the edge: each process opens it anew."""
    first = EnvoyRouter(place.folder / "router", Ports(edge=9))
    assert place.switch.state is not None
    first.write(place.switch.state, None)
    return first


def _behind(place: ReleaseWorld, edge: EnvoyRouter) -> World:
    world = place.world
    world.__dict__["router"] = EnvoyRouter(edge.path.parent, edge.ports)
    return world


def _events(place: ReleaseWorld) -> list[LedgerEvent]:
    return place.world.ledger(place.line).events()


def _record(place: ReleaseWorld, seq: int) -> Path:
    path = place.bucket.root / f"ledger/support/{seq:08}.json"
    path.chmod(0o644)
    return path


# at once


def test_of_promotions_at_once_one_moves_the_users(place: ReleaseWorld, edge: EnvoyRouter) -> None:
    outcomes = at_once(NUM_AT_ONCE, lambda _: promote.run(promotion(), _behind(place, edge)))

    assert all(isinstance(outcome, PromoteOutputs | MovedMeanwhile) for outcome in outcomes), outcomes
    assert any(isinstance(outcome, PromoteOutputs) for outcome in outcomes)
    state = edge.read()
    assert state is not None
    assert (state.active_release, place.live) == ("b", "b")
    assert place.kinds.count("promoted") == 1
    place.world.ledger(place.line).verify()


def test_a_roll_back_during_promotions_leaves_one_production_that_everybody_names(
    place: ReleaseWorld, edge: EnvoyRouter
) -> None:
    promote.run(promotion(), _behind(place, edge))

    def one(number: int) -> object:
        if number == 0:
            return rollback.run(going_back(), _behind(place, edge))
        return promote.run(promotion(), _behind(place, edge))

    outcomes = at_once(NUM_AT_ONCE, one)

    allowed = (PromoteOutputs, RollbackOutputs, MovedMeanwhile, ApprovalVoid, NotStaged)
    assert all(isinstance(outcome, allowed) for outcome in outcomes), outcomes
    state = edge.read()
    assert state is not None
    assert state.active_release == place.live == "a"
    assert place.kinds.count("rolled_back") == 1


@pytest.mark.parametrize("moment", range(12))
def test_a_roll_back_at_any_moment_of_a_promotion_is_never_undone(place: ReleaseWorld, moment: int) -> None:
    went: list[str] = []

    def meanwhile() -> None:
        if place.users_on == "b":
            rollback.run(going_back(), place.world)
            went.append("back")

    place.fuse.set(moment, meanwhile=meanwhile)
    promote.run(promotion(), place.world)
    place.fuse.set(None)

    check_always(place)
    assert place.users_on == ("a" if went else "b")
    operations.submit(place)
    operations.resolve_it(place)
    check_settled(place)


# approvals


def test_approved_by_two_at_once_it_is_promoted_once(place: ReleaseWorld) -> None:
    at_once(2, lambda number: place.say("approved", "b", by=("mia", "noor")[number]))

    for _ in range(2):
        promote.run(promotion(), place.world)

    assert place.kinds.count("approved") == 3
    assert (place.kinds.count("promoting"), place.kinds.count("promoted")) == (1, 1)


def test_an_approval_that_is_sent_again_after_a_roll_back_moves_nobody(place: ReleaseWorld) -> None:
    first = _events(place)[1]
    promote.run(promotion(), place.world)
    rollback.run(going_back(), place.world)
    again = {(event.kind, event.evidence, event.at) for event in _events(place)}

    assert ("approved", first.evidence, first.at) in again  # so the approval task writes nothing
    with pytest.raises(ApprovalVoid, match="production changed after it"):
        promote.run(promotion(), place.world)
    assert place.users_on == place.live == "a"


def test_an_approval_that_arrives_after_a_newer_candidate_was_staged_is_stale(place: ReleaseWorld) -> None:
    stage.run(releases.staging(place, "c"), place.world)
    place.say("approved", "b")

    with pytest.raises(NotStaged, match="a later run was staged over it"):
        promote.run(promotion(), place.world)

    assert place.users_on == "a"


def test_an_approval_that_arrives_after_production_changed_is_refused(place: ReleaseWorld) -> None:
    promote.run(promotion(), place.world)
    place.engines.held["blue"] = loaded("c")
    place.say("approved", "c", evidence=evidence("c", baseline="a"))

    with pytest.raises(ApprovalVoid, match=f"compares with baseline {sha('a')[:12]}"):
        promote.run(promotion("c", baseline="a"), place.world)

    assert place.users_on == place.live == "b"


def test_a_production_that_is_given_up_while_a_person_decides_voids_the_approval(place: ReleaseWorld) -> None:
    promote.run(promotion(), place.world)
    stage.run(releases.staging(place, "c"), place.world)
    rollback.run(going_back(), place.world)  # "a" is loaded over "c"

    place.say("approved", "c", evidence=evidence("c", baseline="b"))

    with pytest.raises(ApprovalVoid, match=f"production is {sha('a')[:12]}"):
        promote.run(promotion("c", baseline="b"), place.world)
    assert place.users_on == place.live == "a"


def test_an_approver_who_lost_the_role_before_the_switch_has_no_say(place: ReleaseWorld) -> None:
    with pytest.raises(ApprovalVoid, match="'mia' is not among the recipe's approvers now"):
        promote.run(promotion(approvers=("noor",)), place.world)

    assert place.users_on == "a"


def test_a_report_that_was_edited_after_the_approval_promotes_nothing(place: ReleaseWorld) -> None:
    edited = evidence("b").model_copy(update={"report_sha256": sha("edited")})

    with pytest.raises(ApprovalVoid, match="these changed since: report"):
        promote.run(promotion(evidence=edited), place.world)

    assert place.users_on == "a"


def test_bytes_of_a_report_that_were_edited_in_the_store_are_not_read(place: ReleaseWorld) -> None:
    asked = releases.by_canary(place)
    report = asked.canary.candidate_report if asked.canary else None
    assert report is not None
    path = place.bucket.root / f"blobs/{report.sha256[:2]}/{report.sha256}"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"label", b"LABEL"))

    with pytest.raises(DigestMismatch, match="changed or torn"):
        promote.run(asked, place.world)

    assert place.users_on == "a"
    check_always(place)


# clocks


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_changes_no_order(place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    class Clock:
        @staticmethod
        def now(_zone: object) -> datetime:
            return datetime.now(UTC) + timedelta(hours=hours)

    for module in ("promote.run", "clients.settle"):
        monkeypatch.setattr(f"ratchet.{module}.datetime", Clock)

    promote.run(promotion(), place.world)
    monkeypatch.undo()
    rollback.run(going_back(), place.world)

    assert [event.seq for event in _events(place)] == list(range(5))
    assert place.users_on == place.live == "a"
    check_always(place)


# services that are down


def test_a_store_that_goes_away_after_the_switch_is_told_by_the_next_run(place: ReleaseWorld) -> None:
    asked = promotion()
    place.fuse.set(3, meanwhile=lambda: setattr(place.bucket, "away", True))

    with pytest.raises(StoreAway):
        promote.run(asked, place.world)

    assert place.users_on == "b"
    place.fuse.set(None)
    place.bucket.away = False
    promote.run(asked, place.world)
    check_settled(place)
    assert place.live == "b"


def test_a_promotion_that_the_registry_missed_is_told_to_it_by_the_next_run(place: ReleaseWorld) -> None:
    place.registry.away = True
    promote.run(promotion(), place.world)
    place.registry.away = False
    assert place.registry.aliases(place.line) == {}

    promote.run(promotion(), place.world)

    check_settled(place)


def test_a_registry_that_says_yes_and_loses_the_write_is_mended_by_the_next_release(
    place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as losing:
        losing.setattr(place.registry, "set_aliases", lambda *_: None)
        promote.run(promotion(), place.world)
    assert place.registry.aliases(place.line) == {}

    operations.submit(place)
    operations.resolve_it(place)

    check_settled(place)
    assert place.registry.aliases(place.line)["production"] == sha("b")


def test_a_registry_whose_yes_is_lost_is_asked_again_and_has_one_version(place: ReleaseWorld) -> None:
    place.faults.follow(only(Call("registry", "register", 0), "after"))
    promote.run(promotion(), place.world)
    place.faults.clear()

    promote.run(promotion(), place.world)

    check_settled(place)
    assert [version.sha256 for version in place.registry.versions[place.line]] == [sha("b"), sha("a")]


def test_a_previous_model_that_was_deleted_from_the_store_still_has_a_warm_way_back(place: ReleaseWorld) -> None:
    promote.run(promotion(), place.world)
    for path in (place.bucket.root / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()

    outputs = rollback.run(going_back(), place.world)

    assert (outputs.release_id, outputs.cold_start, place.engines.num_loads) == ("a", False, 0)


def test_a_ledger_whose_last_record_is_torn_stops_promotions_by_name_but_no_roll_back(place: ReleaseWorld) -> None:
    promote.run(promotion(), place.world)
    torn = _record(place, 3)
    torn.write_bytes(torn.read_bytes()[:100])

    with pytest.raises(BrokenJournal, match=r"00000003\.json: not a whole LedgerEvent"):
        promote.run(promotion(), place.world)
    outputs = rollback.run(going_back(), place.world)

    assert (outputs.recorded, place.users_on) == (False, "a")


def test_once_the_torn_record_is_put_back_the_roll_back_that_waited_is_told(place: ReleaseWorld) -> None:
    promote.run(promotion(), place.world)
    torn = _record(place, 3)
    whole = torn.read_bytes()
    torn.write_bytes(whole[:100])
    rollback.run(going_back(), place.world)

    torn.write_bytes(whole)
    operations.submit(place)
    operations.resolve_it(place)

    assert place.live == place.users_on == "a"
    check_settled(place)


def test_weights_that_were_edited_on_preview_are_not_promoted(place: ReleaseWorld) -> None:
    place.engines.held["green"] = loaded("b").model_copy(update={"model": model("edited")})

    with pytest.raises(NotStaged):
        promote.run(promotion(), place.world)

    assert place.users_on == "a"
