"""What is usual for a dataset is what the receipts of its uploads say."""

from pathlib import Path
from typing import Any

from tests.fakes.datasets import DATASET, MIA, hand_in, looked_at

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.intake.usual import usual_shifts
from ratchet.intake.versions import add_version


def moved(**features: float) -> dict[str, Any]:
    return {"shifts": [{"feature": name, "psi": psi} for name, psi in features.items()]}


def test_each_feature_has_its_history_and_uploads_without_one_have_none(tmp_path: Path) -> None:
    world = World(Settings(root=tmp_path), tmp_path / "work")
    hand_in(world, "the first upload, compared with nothing")
    for text, changes in (("a", moved(label=0.1, words=0.3)), ("b", moved(label=0.2))):
        add_version(world, DATASET, *looked_at(world, [text], changes=changes), MIA)

    versions = world.datasets(DATASET).records()

    assert usual_shifts(world.store, versions) == {"label": (0.1, 0.2), "words": (0.3,)}
    assert usual_shifts(world.store, ()) == {}
