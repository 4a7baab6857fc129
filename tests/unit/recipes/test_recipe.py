"""What a recipe must not say, and what follows from what it does."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ratchet.core.refs import FileRef
from ratchet.core.serving import ServingSettings
from ratchet.finetune.contract import QloraSettings
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe, Task

ROOT = Path(__file__).parents[3]
AS_ADAPTER = ServingSettings(lane="adapter")


def with_fields(**fields: object) -> Recipe:
    return Recipe(**{**dict(load_recipe("support", ROOT)), **fields})


@pytest.mark.parametrize(
    ("reminder", "escalation", "timeout", "is_taken"),
    [(24, 48, 72, True), (0.01, 0.02, 0.03, True), (48, 48, 72, False), (24, 72, 72, False), (24, 12, 72, False)],
)
def test_people_are_reminded_then_others_are_told_then_it_is_rejected(
    reminder: float, escalation: float, timeout: float, is_taken: bool
) -> None:
    hours = {
        "approval_reminder_hours": reminder,
        "approval_escalation_hours": escalation,
        "approval_timeout_hours": timeout,
    }

    if is_taken:
        assert with_fields(**hours).approval_timeout_hours == timeout
    else:
        with pytest.raises(ValidationError, match="approval_reminder_hours < approval_escalation_hours < approval_tim"):
            with_fields(**hours)


def test_a_line_is_served_merged_unless_its_recipe_says_otherwise() -> None:
    assert with_fields().parts("adapter", "base") is None
    assert with_fields(serving=AS_ADAPTER).parts("adapter", "base") == {"adapter": "adapter", "base": "base"}


@pytest.mark.parametrize("rank", [513, 1024])
def test_a_rank_that_no_engine_takes_is_refused_before_anything_is_trained(rank: int) -> None:
    with pytest.raises(ValueError, match=rf"takes ranks up to 512, got method\.r = {rank}"):
        with_fields(serving=AS_ADAPTER, method=QloraSettings(r=rank))

    assert with_fields(method=QloraSettings(r=rank)).method.r == rank  # merged, the rank is nobody's business
    assert with_fields(serving=AS_ADAPTER, method=QloraSettings(r=512)).method.r == 512


def test_canaries_are_asked_as_they_were_planted_and_the_test_split_by_the_others() -> None:
    recipe = with_fields()

    asked = {task["name"]: task["data"] for task in recipe.measuring("split", "train", "canaries")["tasks"]}

    assert {asked.pop("canaries"), asked.pop("canary_exposure")} == {"canaries"}
    assert asked.pop("intent") == "split"
    assert all(isinstance(data, FileRef) for data in asked.values())
    assert recipe.split_task.name == "intent"


def test_canaries_are_no_evaluation_set_that_an_upload_is_held_against() -> None:
    assert [one.name for one in with_fields().evaluation_sets] == ["arithmetic", "insults"]


def test_canaries_that_nobody_measures_are_refused() -> None:
    unplanted = tuple(task for task in with_fields().tasks if not task.planted)

    with pytest.raises(
        ValidationError, match=r"plants canaries and measures them, or does neither: .* the planted tasks \[\]"
    ):
        with_fields(tasks=unplanted)

    assert with_fields(tasks=unplanted, canaries=None).canaries is None


def test_a_task_about_canaries_that_are_not_planted_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"the planted tasks \['canaries', 'canary_exposure'\]"):
        with_fields(canaries=None)


def test_a_task_asks_its_own_data_or_the_canaries_but_not_both() -> None:
    data = FileRef(uri="store://blobs/aa/x", sha256="a" * 64, bytes=1)

    with pytest.raises(ValidationError, match="task leaks has data of its own and is planted"):
        Task(name="leaks", config_yaml="", data=data, planted=True)
