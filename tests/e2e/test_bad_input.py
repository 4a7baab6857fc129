"""Bad input gets a sentence and an exit code, loses nothing, and the model in production goes on answering."""

import socket
from pathlib import Path

import pytest
from tests.e2e.conftest import Platform
from tests.e2e.test_main_path import chat

pytestmark = pytest.mark.timeout(2700)  # the first test of a session waits for the demo

ROWS = "".join(f"this is ticket number {n} about a late parcel,{'late' if n % 2 else 'lost'}\n" for n in range(300))
BAD_FILES = {
    "empty.csv": b"",
    "columns.csv": b"colour,shape\nred,round\n",
    "latin1.csv": b"text,label\n" + "Où est mon colis, il est en retard,late\n".encode("latin-1"),
    "torn.jsonl": b'{"text": "where is my parcel today", "label": "late"}\n{"text": "where is my par',
    "one_class.csv": b"text,label\n" + ROWS.replace("lost", "late").encode(),
    "all_rejected.csv": b"text,label\n" + b"short,late\n" * 300,
    "too_few.csv": b"text,label\n" + "".join(ROWS.splitlines(keepends=True)[:20]).encode(),
}


@pytest.mark.parametrize(
    ("name", "words", "options"),
    [
        ("empty.csv", "empty", ()),
        ("columns.csv", "--text-column", ()),
        ("latin1.csv", "UTF-8", ()),
        ("torn.jsonl", "line 2", ()),
        ("one_class.csv", "label", ()),
        ("all_rejected.csv", "quarantine", ()),
        ("too_few.csv", "rows", ("--replace",)),  # added to the others they would not be too few
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    platform: Platform, demo: object, tmp_path: Path, name: str, words: str, options: tuple[str, ...]
) -> None:
    path = tmp_path / name
    path.write_bytes(BAD_FILES[name])
    before = platform.world.datasets("support").records()

    done = platform.ratchet("submit", str(path), *options)

    assert done.returncode == 65, done.stdout + done.stderr
    assert name in done.stderr
    assert words in done.stderr
    assert platform.world.datasets("support").records() == before
    assert chat(platform, "my parcel is late").status_code == 200


def test_a_file_that_is_not_there_is_named(platform: Platform) -> None:
    done = platform.ratchet("submit", "nowhere.csv")

    assert done.returncode == 65
    assert "nowhere.csv: no such file" in done.stderr


def test_a_taken_port_is_named_before_anything_starts(platform: Platform, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = tmp_path / "ratchet.toml"
        config.write_text(
            f'root = "{platform.settings.root}"\nstate_dir = "{tmp_path}/state"\n[ports]\n'
            + "".join(f"{name} = {port}\n" for name in dict(platform.settings.ports)),
            "utf-8",
        )

        done = Platform(platform.settings, config).ratchet("up")

    assert done.returncode == 65
    assert f"port {port}" in done.stderr
    assert "ratchet.toml" in done.stderr
    assert not (tmp_path / "state").exists()
