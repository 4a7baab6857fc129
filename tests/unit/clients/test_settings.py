"""ratchet.toml alone decides where things are; a slip in it is named."""

from pathlib import Path

import pytest

from ratchet.clients.settings import BadSettings, load


def written(folder: Path, text: str) -> Path:
    path = folder / "ratchet.toml"
    path.write_text(text, "utf-8")
    return path


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(written(tmp_path, 'state_dir = "here"'))

    assert settings.state == tmp_path / "here"
    assert settings.python("train") == tmp_path / ".venvs" / "train" / "bin" / "python"


def test_the_file_is_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "")
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    monkeypatch.delenv("RATCHET_CONFIG", raising=False)

    assert load().root == tmp_path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stat_dir = 'x'", "stat_dir"),
        ("[ports]\nedge = 'many'", "ports.edge"),
        ("runtime = 'docker'", "runtime"),
        ("runtime = ", "TOML"),
    ],
)
def test_a_slip_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        load(written(tmp_path, text))
