"""What drift found of an upload stands in its receipt, on its page, and in what is usual for the next one."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.datasets import DATASET, MIA, looked_at

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.drift import EMBEDDING, Distance
from ratchet.intake.embedding import embedding_of, with_embedding
from ratchet.intake.usual import usual_shifts
from ratchet.intake.versions import add_version

SIDE = {"num_rows": 60, "num_repeated": 0, "num_labels": 2, "median_length": 20.0, "p95_length": 40.0}
CHANGES = {
    "upload": SIDE,
    "version": SIDE,
    **{"num_new_rows": 60, "num_new_labels": 0, "new_labels": [], "num_absent_labels": 0, "absent_labels": []},
    "shifts": [{"feature": "words", "psi": 0.2, "js": 0.01, "limit": 0.1, "movers": []}],
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


@pytest.mark.parametrize(("distance", "told"), [(0.08, True), (0.004, False)])
def test_the_receipt_and_its_page_tell_it_whether_or_not_it_drifted(world: World, distance: float, told: bool) -> None:
    found = Distance(distance=distance, limit=0.005)

    joined = with_embedding(world.store, looked_at(world, ["a"], changes=CHANGES)[1], found)

    assert embedding_of(json.loads(world.store.read_bytes(joined.receipt))) == found
    page = world.store.read_bytes(joined.page).decode()
    assert f"{distance:.3f}" in page
    assert ("embedding: drifted" in page) is told


@pytest.mark.parametrize(
    ("changes", "found"), [(CHANGES, None), (None, Distance(distance=0.1, limit=0.01))], ids=["not asked", "first"]
)
def test_without_something_to_compare_the_receipt_stays_as_it_is(
    world: World, changes: dict[str, Any] | None, found: Distance | None
) -> None:
    checked = looked_at(world, ["a"], changes=changes)[1]

    assert with_embedding(world.store, checked, found) == checked


def test_what_was_told_is_usual_for_the_next_upload(world: World) -> None:
    inputs, _ = looked_at(world, ["a"])
    joined = with_embedding(
        world.store, looked_at(world, ["a"], changes=CHANGES)[1], Distance(distance=0.003, limit=0.005)
    )

    add_version(world, DATASET, inputs, joined, MIA)

    assert usual_shifts(world.store, world.datasets(DATASET).records()) == {"words": (0.2,), EMBEDDING: (0.003,)}
