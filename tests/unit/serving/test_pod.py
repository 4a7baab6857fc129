"""What an engine's pod fetches, and what it refuses to serve."""

from pathlib import Path

import pytest
from tests.fakes.events import model
from tests.fakes.folders import make_adapter_folder, make_model_folder

from ratchet.clients.engine import LoadedModel, to_load
from ratchet.clients.settings import load
from ratchet.clients.store import MissingObject, Store
from ratchet.clients.world import bucket_of
from ratchet.core.adapter_folder import NotServable
from ratchet.core.refs import digest_folder
from ratchet.core.serving import ServedParts, ServingSettings
from ratchet.serving import __main__ as pod


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = load()
        self.store = Store(bucket_of(settings), settings.scratch)
        self.base = self.store.put_folder(make_model_folder(folder / "base"))
        self.merged = self.store.put_folder(make_model_folder(folder / "merged"))

    def on_base(self, **fields: object) -> LoadedModel:
        adapter = self.store.put_folder(make_adapter_folder(self.folder / "adapter", self.base.sha256, **fields))
        parts = ServedParts(adapter=adapter, base=self.base)
        return to_load("b", model("b"), parts, ServingSettings())

    @property
    def on_disk(self) -> set[str]:
        """Folders by the digest of their bytes, if that is their name."""
        return {path.name for path in pod.MODELS.iterdir() if digest_folder(path) == path.name}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "ratchet.toml").touch()
    monkeypatch.setenv("RATCHET_CONFIG", str(tmp_path / "ratchet.toml"))
    monkeypatch.setattr(pod, "MODELS", tmp_path / "models")
    return Place(tmp_path)


def test_a_merged_model_is_fetched_alone(place: Place) -> None:
    pod.fetch(LoadedModel(release_id="b", model=place.merged))

    assert place.on_disk == {place.merged.sha256}


def test_in_the_adapter_lane_base_and_adapter_are_fetched_and_no_merged_model(place: Place) -> None:
    loaded = place.on_base()
    pod.fetch(loaded)

    assert loaded.parts is not None
    assert place.on_disk == {loaded.parts.base.sha256, loaded.parts.adapter.sha256}


def test_an_adapter_that_would_be_served_in_part_never_gets_to_the_engine(place: Place) -> None:
    with pytest.raises(NotServable, match="modules_to_save"):
        pod.fetch(place.on_base(modules_to_save=["lm_head"]))


def test_an_adapter_without_its_base_in_the_store_is_not_served(place: Place) -> None:
    loaded = place.on_base()
    assert loaded.parts is not None
    lost = loaded.model_copy(update={"parts": loaded.parts.model_copy(update={"base": model("lost")})})

    with pytest.raises(MissingObject):
        pod.fetch(lost)


def test_serving_starts_on_what_was_fetched(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, started = place.on_base(), []
    pod.fetch(loaded)
    monkeypatch.setenv("RATCHET_COLOUR", "green")
    monkeypatch.setattr("os.execve", lambda path, arguments, environment: started.append(arguments))

    pod.serve(loaded)

    assert loaded.parts is not None
    line = started[0]
    assert line[line.index("--model") + 1] == str(pod.MODELS / loaded.parts.base.sha256)
    assert str(pod.MODELS / loaded.parts.adapter.sha256) in line[line.index("--lora-modules") + 1]
