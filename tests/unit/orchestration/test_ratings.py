"""The look for ratings: whatever is newest when the task runs, so that clearing it judges anew."""

from tests.fakes.events import model
from tests.unit.core.preferences import review

from ratchet.cli.review.ratings import RatedFile, store_ratings
from ratchet.clients.world import World
from ratchet.core.preference import parse_preferences
from ratchet.core.refs import FileRef
from ratchet.orchestration.ratings import NewestRatings

CANDIDATE, BASELINE = model("candidate"), model("baseline")
ASKED = review(2, 1, candidate_sha256=CANDIDATE.sha256, baseline_sha256=BASELINE.sha256)


def looked_up(candidate: str = "candidate") -> list[FileRef]:
    task = NewestRatings(task_id="ratings", candidate=model(candidate).model_dump(), baseline=BASELINE.model_dump())
    return [FileRef.model_validate(ref) for ref in task.execute({})]


def test_before_anybody_has_rated_there_are_none(world: World) -> None:
    assert looked_up() == []


def test_each_look_finds_what_was_said_last(world: World) -> None:
    for choice in ("a", "tie"):
        said = store_ratings(world, RatedFile(ASKED, {"intent-0": choice}), "people", "mia")  # type: ignore[dict-item]
        (found,) = looked_up()

        assert parse_preferences(world.store.read_bytes(found)) == said


def test_what_was_said_of_other_models_is_not_found(world: World) -> None:
    store_ratings(world, RatedFile(ASKED, {"intent-0": "a"}), "people", "mia")

    assert looked_up("another") == []
