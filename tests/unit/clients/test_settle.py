from pathlib import Path

import pytest
from tests.fakes.events import NOON, evidence, model, sha
from tests.fakes.release_world import ReleaseWorld

from ratchet.clients.settle import foreseen, settle, settle_or_wait
from ratchet.core.rollout import Author, swapped_back, switched_to

OMAR = Author(by="omar", note="slow", at=NOON)


@pytest.fixture
def place(tmp_path: Path) -> ReleaseWorld:
    """Release "b" was promoted; its users are back on "a", and nobody has been told."""
    made = ReleaseWorld(tmp_path, "http://127.0.0.1:9")
    assert made.switch.state is not None
    for kind in ("promoting", "promoted"):
        made.say(kind, "b", evidence=evidence("b"))
    made.switch.state = swapped_back(switched_to(made.switch.state, "green", "b", sha("b"), seq=2))
    return made


def _waiting(place: ReleaseWorld) -> list[Path]:
    return list((place.world.settings.state / "waiting").rglob("*"))


def _tell(place: ReleaseWorld) -> bool:
    assert place.switch.state is not None
    return settle_or_wait(place.world, "support", place.switch.state, model("a"), OMAR)


def test_what_a_killed_command_did_is_told_by_the_next_one(place: ReleaseWorld) -> None:
    settle(place.world, "support")

    last = place.world.ledger("support").events()[-1]
    assert (last.kind, last.release_id, last.by) == ("rolled_back", "a", "ratchet")
    assert "cut short" in last.note


def test_settling_twice_tells_once(place: ReleaseWorld) -> None:
    settle(place.world, "support", OMAR)
    settle(place.world, "support", OMAR)

    assert place.kinds.count("rolled_back") == 1


def test_an_event_waits_for_the_store_and_is_told_once(place: ReleaseWorld) -> None:
    place.bucket.away = True
    told = [_tell(place)]
    place.bucket.away = False
    told.append(_tell(place))
    settle(place.world, "support")

    assert told == [False, True]
    assert place.kinds.count("rolled_back") == 1
    assert [path for path in _waiting(place) if path.is_file()] == []


def test_an_event_that_reached_the_ledger_before_its_file_was_removed_is_not_told_again(place: ReleaseWorld) -> None:
    place.bucket.away = True
    _tell(place)
    place.bucket.away = False
    place.say("rolled_back", "a", by=OMAR.by, note=OMAR.note, at=OMAR.at)

    settle(place.world, "support")

    assert place.kinds.count("rolled_back") == 1


def test_what_waits_is_foreseen_without_being_written(place: ReleaseWorld) -> None:
    place.bucket.away = True
    _tell(place)
    place.bucket.away = False
    assert place.switch.state is not None

    events = foreseen(place.world, "support", place.switch.state, OMAR)

    assert [entry.kind for entry in events[-2:]] == ["promoted", "rolled_back"]
    assert events[-1].seq == len(events) - 1
    assert place.kinds[-1] == "promoted"


def test_a_roll_back_stands_even_when_its_event_can_be_kept_nowhere(place: ReleaseWorld) -> None:
    place.bucket.away = True
    (place.folder / ".ratchet" / "waiting").write_text("a file where the folder should be")

    assert not _tell(place)

    place.bucket.away = False
    (place.folder / ".ratchet" / "waiting").unlink()
    settle(place.world, "support")
    assert place.kinds[-1] == "rolled_back"


def test_without_a_router_state_there_is_nothing_to_settle(place: ReleaseWorld) -> None:
    place.switch.state = None

    settle(place.world, "support")

    assert place.kinds[-1] == "promoted"
