"""`ratchet keys`: what a person sees of the keys, and what the edge is told."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from ratchet.cli import keys, show
from ratchet.cli.main import main
from ratchet.clients.edge_keys import FILE, OWN, BadKeyName, BrokenKeys, own_key, read_keys
from ratchet.clients.settings import Settings
from ratchet.local.edge import write_own_keys
from ratchet.recipes.catalogue import load_recipe
from ratchet.serving.edge.keys import KEYS_FILE


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("RATCHET_SECRETS_DIR", raising=False)
    return Settings(root=tmp_path)


def told(settings: Settings) -> str:
    console = Console(record=True, width=200)
    keys.tell(settings, console)
    return console.export_text()


def add(settings: Settings, name: str) -> str:
    console = Console(record=True, width=200)
    keys.add(settings, name, console)
    return console.export_text().strip()


def remove(settings: Settings, name: str) -> str:
    console = Console(record=True, width=200)
    keys.remove(settings, name, console)
    return console.export_text()


def let_in(settings: Settings) -> dict[str, str]:
    """Name → key, as the edge reads them."""
    found = json.loads((settings.state / "router" / KEYS_FILE).read_bytes())["resources"][0]["typed_config"]
    return {entry["client"]: entry["key"] for entry in found["credentials"]}


def test_before_the_first_key_everybody_may_ask(settings: Settings) -> None:
    assert "whoever reaches the endpoint may ask" in told(settings)
    assert own_key(settings) == ""


def test_a_key_is_told_once_and_then_only_its_name(settings: Settings) -> None:
    key = add(settings, "mia")

    assert key.startswith("rk-")
    assert told(settings).split() == ["mia"]
    assert let_in(settings) == {OWN: own_key(settings), "mia": key}


def test_nobody_else_can_read_the_keys(settings: Settings) -> None:
    add(settings, "mia")

    paths = (settings.secrets / FILE, (settings.state / "router" / KEYS_FILE))
    assert {oct(path.stat().st_mode & 0o777) for path in paths} == {"0o600"}
    assert oct(settings.secrets.stat().st_mode & 0o777) == "0o700"


def test_a_key_that_is_removed_is_not_let_in_and_the_others_are(settings: Settings) -> None:
    add(settings, "mia")
    key = add(settings, "ben")

    assert "mia has no key any more" in remove(settings, "mia")
    assert let_in(settings) == {OWN: own_key(settings), "ben": key}


def test_when_the_last_key_is_removed_nobody_is_let_in(settings: Settings) -> None:
    add(settings, "mia")

    assert "nobody may ask" in remove(settings, "mia")
    assert set(let_in(settings)) == {OWN}
    assert "nobody may ask" in told(settings)


@pytest.mark.parametrize("name", ["", "two words", "a/b", "ratchet", "-x", "naïve", "a" * 64])
def test_a_name_that_cannot_be_one_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(BadKeyName):
        add(settings, name)
    assert read_keys(settings) is None


def test_a_second_key_of_one_name_is_refused(settings: Settings) -> None:
    key = add(settings, "mia")

    with pytest.raises(BadKeyName, match="ratchet keys remove mia"):
        add(settings, "mia")
    assert let_in(settings)["mia"] == key


@pytest.mark.parametrize("name", ["ben", "ratchet"])
def test_only_what_was_given_can_be_removed(settings: Settings, name: str) -> None:
    add(settings, "mia")

    with pytest.raises(BadKeyName, match="there are: mia"):
        remove(settings, name)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"mia": 7}',
        '{"mia": "short"}',
        '{"m i": "long-enough-to-be-one"}',
        '{"mia": "with a space in its text"}',
        '{"mia": "the-same-key-twice", "ben": "the-same-key-twice"}',
    ],
)
def test_a_broken_file_lets_nobody_in_and_shows_no_key(settings: Settings, content: str) -> None:
    settings.secrets.mkdir(parents=True)
    (settings.secrets / FILE).write_text(content)

    with pytest.raises(BrokenKeys, match=FILE) as refusal:
        write_own_keys(settings)
    assert "twice" not in str(refusal.value)
    assert not (settings.state / "router" / KEYS_FILE).exists()


def test_a_file_by_hand_gets_ratchets_own_key_too(settings: Settings) -> None:
    settings.secrets.mkdir(parents=True)
    (settings.secrets / FILE).write_text('{"mia": "long-enough-to-be-one"}')

    write_own_keys(settings)

    assert let_in(settings) == {OWN: own_key(settings), "mia": "long-enough-to-be-one"}


def test_on_a_cluster_it_says_how_the_edge_gets_the_keys(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    key = add(settings.model_copy(update={"runtime": "kubernetes"}), "mia")

    said = capsys.readouterr().err
    assert "kubectl -n ratchet create secret generic support-edge-keys --from-file=" in said
    assert key not in said
    assert read_keys(settings) == {OWN: own_key(settings), "mia": key}
    assert not (settings.state / "router").exists()


def test_the_command_that_asks_the_model_has_a_place_for_the_key(settings: Settings) -> None:
    recipe = load_recipe("support", Path(__file__).parents[3])
    assert "Authorization" not in show.curl(settings, recipe, "hello")

    key = add(settings, "mia")

    assert "Bearer YOUR_KEY" in show.curl(settings, recipe, "hello")
    assert key not in show.curl(settings, recipe, "hello")


def test_the_words_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RATCHET_SECRETS_DIR", raising=False)
    monkeypatch.setenv("RATCHET_CONFIG", "")
    (tmp_path / "ratchet.toml").write_text("")
    config = ["--config", str(tmp_path / "ratchet.toml")]

    assert main([*config, "keys", "add", "mia"]) == 0
    key = capsys.readouterr().out.strip()
    assert main([*config, "keys"]) == 0
    assert capsys.readouterr().out.strip() == "mia"
    assert main([*config, "keys", "remove", "mia"]) == 0
    assert key.startswith("rk-")
