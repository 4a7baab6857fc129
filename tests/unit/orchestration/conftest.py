from pathlib import Path

import pytest

from ratchet.clients.settings import CONFIG_VARIABLE, load
from ratchet.clients.world import World

ROOT = Path(__file__).parents[3]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """What a task finds on a laptop: this project's files, and a state of its own."""
    config = tmp_path / "ratchet.toml"
    config.write_text(f'root = "{ROOT}"\nstate_dir = "{tmp_path}/state"\n', "utf-8")
    monkeypatch.setenv(CONFIG_VARIABLE, str(config))
    settings = load()
    return World(settings, settings.scratch)
