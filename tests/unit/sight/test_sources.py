"""The exporter as a person starts it, where nothing else runs."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes.metrics import scraped, value

from ratchet.clients.settings import Settings
from ratchet.recipes.catalogue import load_recipe
from ratchet.sight.arguments import NAMES
from ratchet.sight.sources import period_seconds, sources

ROOT = Path(__file__).parents[3]
ASKED = [name for name in NAMES if name != "work"]


@pytest.mark.parametrize(
    ("schedule", "days"), [("0 6 * * 1", 7), ("0 6 * * *", 1), ("0 6 * * 1-5", 3), ("0 6 1 * *", 31)]
)
def test_how_often_a_release_is_due_is_its_longest_wait(schedule: str, days: int) -> None:
    assert period_seconds(schedule, datetime(2026, 1, 1, tzinfo=UTC)) == days * 86_400


def test_every_source_has_the_name_by_which_it_can_be_left_out(tmp_path: Path) -> None:
    settings = Settings(root=ROOT, state_dir=tmp_path)

    assert sorted(source.name for source in sources(settings, load_recipe("support", ROOT))) == sorted(NAMES)


def test_on_a_machine_where_nothing_runs_it_says_what_is_down_and_tells_the_rest(tmp_path: Path) -> None:
    (tmp_path / "ratchet.toml").write_text(
        f'root = "{ROOT}"\nstate_dir = "{tmp_path}"\n[ports]\nairflow = 9\nmlflow = 9\nedge = 9\nedge_admin = 9\n'
    )
    environment = {**os.environ, "RATCHET_CONFIG": str(tmp_path / "ratchet.toml")}
    command = [sys.executable, "-m", "ratchet.cli.main", "exporter", "--port", "0", "--only", *ASKED]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        address = next(word for line in process.stderr for word in line.split() if "http://127.0.0.1:" in word)
        found = scraped(address[address.index("http") :])
    finally:
        process.terminate()
        process.wait(30)

    up = {name: value(found, "ratchet_up", source=name) for name in NAMES}
    assert {name for name, is_up in up.items() if is_up == 0} == {"airflow", "releases", "registry", "edge"}
    assert {name for name, is_up in up.items() if is_up is None} == {"work"}
    assert value(found, "ratchet_release_period_seconds", line="support") == 604_800
    assert process.returncode == 0
