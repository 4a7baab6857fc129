"""A world in a temporary folder, and a base whose tokenizer is real and whose weights are one number."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.steps.models import CHAT_TEMPLATE, make_tiny_tokenizer

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.refs import FileRef, FolderRef


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"), CHAT_TEMPLATE)


def make_base(folder: Path, chat_template: str) -> Path:
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return folder


@pytest.fixture
def base(world: World, base_folder: Path) -> FolderRef:
    return world.store.put_folder(base_folder)


def put_rows(world: World, rows: Sequence[tuple[str, str]]) -> FileRef:
    lines = ({"id": f"row-{n}", "text": text, "label": label} for n, (text, label) in enumerate(rows))
    return world.store.put_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
