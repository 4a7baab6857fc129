"""An adapter that is served on its base: both are verified."""

import pytest
from tests.fakes.events import event, evidence, sha
from tests.unit.cli.verify.conftest import Platform

from ratchet.clients.engine import LoadedModel, to_load
from ratchet.core.rollout import switched_to
from ratchet.core.serving import ServedParts, ServingSettings


@pytest.fixture
def on_base(platform: Platform) -> Platform:
    """Then release "c" went live on green as an adapter on a base."""
    place, store = platform.place, platform.place.world.store
    folders = {}
    for name in ("adapter", "base"):
        source = platform.place.world.settings.root / name
        source.mkdir()
        (source / "model.safetensors").write_bytes(name.encode())
        folders[name] = store.put_folder(source)
        store.fetch_folder(folders[name], platform.files.parent / folders[name].sha256)
    served = ServedParts(**folders)
    merged = platform.model.model_copy(update={"sha256": sha("merged c")})
    bound = evidence("c", served_as=served).model_copy(
        update={"candidate_sha256": merged.sha256, "baseline_sha256": platform.model.sha256}
    )
    for kind in ("approved", "promoting", "promoted"):
        entry = event(kind, "c", model=merged, evidence=bound, parts=served)  # type: ignore[arg-type]
        place.ledger.append(lambda events, entry=entry: entry)  # type: ignore[misc]
    place.engine.held["green"] = to_load("c", merged, served, ServingSettings())
    place.green.models = {"support", "c", merged.sha256}
    place.green.edge("green", "c")
    place.router.state = switched_to(place.router.state, "green", "c", merged.sha256, seq=5)  # type: ignore[arg-type]
    platform.registered.aliases = {"production": merged.sha256, "previous": platform.model.sha256}
    return platform


def test_an_adapter_on_its_base_is_verified_byte_by_byte(on_base: Platform) -> None:
    rows = on_base.rows()
    parts = on_base.place.engine.held["green"].parts

    assert {what: row.standing for what, row in rows.items()} == dict.fromkeys(rows, "ok")
    assert parts is not None
    assert rows["served files"].got == parts.digests


@pytest.mark.parametrize("tampered", ["adapter", "base"])
def test_a_changed_byte_of_adapter_or_base_differs(on_base: Platform, tampered: str) -> None:
    parts = on_base.place.engine.held["green"].parts
    assert parts is not None
    path = on_base.files.parent / getattr(parts, tampered).sha256 / "model.safetensors"
    path.chmod(0o644)
    path.write_bytes(b"other")

    row = on_base.rows()["served files"]

    assert (row.standing, row.expected) == ("differs", parts.digests)
    assert getattr(parts, tampered).sha256 not in row.got


def test_an_engine_told_to_load_the_merged_model_instead_differs(on_base: Platform) -> None:
    told = on_base.place.engine.held["green"]
    on_base.place.engine.held["green"] = LoadedModel(release_id="c", model=told.model)

    assert on_base.rows()["served files"].standing == "differs"
