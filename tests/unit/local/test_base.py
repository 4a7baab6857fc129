"""Bases come into the store once, under a name; how the tiny one is trained is tested in its own environment."""

from pathlib import Path

import pytest
from tests.unit.core.test_model_folder import folder, safetensors  # noqa: F401 - a fixture

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.errors import TerminalError
from ratchet.core.model_folder import BadModelFolder
from ratchet.local.base import ensure_base, import_base
from ratchet.recipes.catalogue import load_recipe

ROOT = Path(__file__).parents[3]


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("home")
    return World(Settings(root=root), root / "scratch")


def test_a_base_is_found_by_its_name(world: World, folder: Path) -> None:  # noqa: F811
    ref = import_base(world, folder, "qwen3-4b")
    recipe = load_recipe("support", ROOT).model_copy(update={"base": "qwen3-4b"})

    assert import_base(world, folder, "qwen3-4b") == ref
    assert ensure_base(world.settings, world, recipe, print) == ref


def test_a_name_never_gets_other_bytes(world: World, folder: Path) -> None:  # noqa: F811
    import_base(world, folder, "qwen3-4b")
    (folder / "model.safetensors").write_bytes(safetensors(num_values=8))

    with pytest.raises(TerminalError, match="another base already"):
        import_base(world, folder, "qwen3-4b")


@pytest.mark.parametrize("name", ["Qwen3-4B", "../../elsewhere", "", "x" * 64])
def test_a_name_that_no_recipe_can_use_is_refused(world: World, folder: Path, name: str) -> None:  # noqa: F811
    with pytest.raises(TerminalError, match="no recipe can name a base"):
        import_base(world, folder, name)

    assert world.store.keys("") == []


def test_half_a_model_is_refused(world: World, folder: Path) -> None:  # noqa: F811
    (folder / "tokenizer.json").unlink()

    with pytest.raises(BadModelFolder):
        import_base(world, folder, "qwen3-4b")


def test_a_base_that_nobody_handed_in_is_asked_for_by_name(world: World) -> None:
    recipe = load_recipe("support", ROOT).model_copy(update={"base": "qwen3-4b"})

    with pytest.raises(TerminalError, match="import-base FOLDER --name qwen3-4b"):
        ensure_base(world.settings, world, recipe, print)
