"""One tiny model and one store for all tests of `evaluate`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.steps.models import make_tiny_model

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.refs import FileRef, FolderRef


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("platform")
    return World(Settings(root=root), root / "work")


@pytest.fixture(scope="package")
def model(folder: Path, world: World) -> FolderRef:
    return world.store.put_folder(folder)


def put(world: World, rows: Sequence[Mapping[str, Any]]) -> FileRef:
    return world.store.put_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
