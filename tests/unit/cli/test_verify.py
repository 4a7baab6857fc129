"""`ratchet verify` on a platform that is asked as in life: files, HTTP, the ledger's own files."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.cluster import FakeCluster
from tests.fakes.events import event, evidence, sha
from tests.fakes.mlflow import Registered
from tests.fakes.mlflow import answering as registry_answering
from tests.fakes.serving_world import ServingWorld, goes_live, serving_world

from ratchet.cli.verify import as_json, conclusion, show
from ratchet.clients.bucket import LocalBucket
from ratchet.clients.cluster import ClusterAway
from ratchet.clients.engine import LoadedModel, to_load
from ratchet.clients.kubernetes_engine import LOADED, KubernetesVllm
from ratchet.clients.kubernetes_router import STATE, ServiceRouter
from ratchet.clients.settings import Settings
from ratchet.clients.verification import gather, heard
from ratchet.core.refs import FolderRef
from ratchet.core.rollout import first_state, switched_to
from ratchet.core.serving import ServedParts, ServingSettings
from ratchet.core.verification import Row, exit_code, verify


@dataclass
class Platform:
    place: ServingWorld
    registered: Registered
    model: FolderRef

    @property
    def files(self) -> Path:
        return self.place.world.settings.state / "serving" / "models" / self.model.sha256

    def ledger_file(self, seq: int) -> Path:
        bucket = self.place.world.store.bucket
        assert isinstance(bucket, LocalBucket)
        return bucket.root / f"ledger/support/{seq:08}.json"

    def rows(self) -> dict[str, Row]:
        settings = self.place.world.settings
        url = settings.users_url if settings.runtime == "kubernetes" else self.place.router.base_url
        return {row.what: row for row in verify(gather(self.place.world, "support", url))}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """Release "b" was approved and is live on green, with real files; "a", the base, waits on blue."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"\x00\x01\x02\x03")
    registered = Registered()
    with serving_world(tmp_path) as place, registry_answering(registered) as mlflow:
        model = place.world.store.put_folder(weights)
        place.world.settings = Settings(root=tmp_path, tracking_uri=mlflow)
        made = Platform(place, registered, model)
        place.world.store.fetch_folder(model, made.files)
        goes_live(place, registered, model)
        yield made


def test_a_platform_that_serves_what_was_approved_is_ok(platform: Platform) -> None:
    rows = platform.rows()

    assert {what: row.standing for what, row in rows.items()} == dict.fromkeys(rows, "ok")
    assert exit_code(list(rows.values())) == 0


def _tampered_event(platform: Platform) -> None:
    path = platform.ledger_file(1)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"by":"mia"', b'"by":"eve"'))


def _removed_event(platform: Platform) -> None:
    platform.ledger_file(1).unlink()


def _swapped_events(platform: Platform) -> None:
    one, two, aside = platform.ledger_file(1), platform.ledger_file(2), platform.ledger_file(1).parent.parent / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)


def _cut_off_events(platform: Platform) -> None:
    platform.ledger_file(3).unlink()
    platform.ledger_file(2).unlink()


def _torn_event(platform: Platform) -> None:
    path = platform.ledger_file(3)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:40])


def _tampered_weights(platform: Platform) -> None:
    path = platform.files / "model.safetensors"
    path.chmod(0o644)
    path.write_bytes(b"\x00\x01\x02\xff")


def _added_file(platform: Platform) -> None:
    (platform.files / "chat_template.jinja").write_text("{{ evil }}")


def _deleted_weights(platform: Platform) -> None:
    (platform.files / "model.safetensors").unlink()
    platform.files.rmdir()


def _router_elsewhere(platform: Platform) -> None:
    platform.place.router.state = first_state("blue", "a", sha("a"), seq=2)


def _engine_of_another_digest(platform: Platform) -> None:
    platform.place.green.models = {"support", "c", sha("c")}


def _broken_weights(platform: Platform) -> None:
    platform.place.green.has_nan = True


def _edge_behind(platform: Platform) -> None:
    platform.place.router.base_url = platform.place.engine.url("blue")
    platform.place.blue.edge("blue", "a")


def _alias_behind(platform: Platform) -> None:
    platform.registered.aliases = {"production": sha("a")}


@pytest.mark.parametrize(
    ("spoil", "what", "got"),
    [
        (_tampered_event, "ledger", "00000002.json: expected seq 2 after"),
        (_removed_event, "ledger", "expected ledger/support/00000001.json here: a record is missing"),
        (_swapped_events, "ledger", "00000001.json: expected seq 1 after"),
        (_torn_event, "ledger", "00000003.json: not a whole LedgerEvent"),
        (_cut_off_events, "ledger", "2 events, but users were moved by event 2: the newest were removed"),
        (_tampered_weights, "served files", ""),
        (_added_file, "served files", ""),
        (_deleted_weights, "served files", "is not there"),
        (_router_elsewhere, "router", f"a, model {sha('a')}"),
        (_engine_of_another_digest, "engine", f"it serves {', '.join(sorted({'support', 'c', sha('c')}))}"),
        (_broken_weights, "engine", "NaN"),
        (_edge_behind, "edge", "a on blue"),
    ],
)
def test_what_was_changed_by_other_hands_differs(
    platform: Platform, spoil: Callable[[Platform], None], what: str, got: str
) -> None:
    spoil(platform)

    rows = platform.rows()

    assert rows[what].standing == "differs"
    assert got in rows[what].got
    assert exit_code(list(rows.values())) == 1


def test_aliases_that_are_behind_as_after_a_roll_back_do_not_make_it_fail(platform: Platform) -> None:
    _alias_behind(platform)

    rows = list(platform.rows().values())

    assert [(row.what, row.got) for row in rows if row.standing == "differs"] == [
        ("alias production", sha("a")),
        ("alias previous", "none"),
    ]
    assert exit_code(rows) == 0
    assert conclusion(rows) == "what serves is what was approved; 2 aliases are behind, as after a roll-back"


def test_a_changed_file_names_both_digests_and_the_folder(platform: Platform) -> None:
    _tampered_weights(platform)

    row = platform.rows()["served files"]

    assert row.expected == platform.model.sha256
    assert len(row.got) == 64
    assert row.got != row.expected
    assert row.where == f"{platform.place.world.settings.state}/serving/models/"


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


def test_a_promotion_that_nobody_approved_differs(platform: Platform) -> None:
    """Forged with the chain intact: its story does not hold."""
    head = platform.place.ledger._read()[1]
    forged = event("promoted", "c", model=platform.model, seq=4).model_dump(mode="json")
    platform.place.world.store.create("ledger/support/00000004.json", {**forged, "previous_sha256": head})

    row = platform.rows()["ledger"]

    assert row.standing == "differs"
    assert "promoted of c is refused: no intent" in row.got


def test_with_the_platform_down_files_and_records_are_still_verified(platform: Platform) -> None:
    platform.place.engine.urls.clear()
    platform.place.router.base_url = "http://127.0.0.1:9"
    platform.place.world.settings = Settings(root=platform.place.world.settings.root, tracking_uri="http://127.0.0.1:9")

    rows = platform.rows()

    silent = {what for what, row in rows.items() if row.standing == "cannot tell"}
    assert silent == {"engine", "edge", "alias production", "alias previous"}
    assert {row.standing for what, row in rows.items() if what not in silent} == {"ok"}
    assert exit_code(list(rows.values())) == 3


def test_an_edge_that_wants_a_key_cannot_be_told(platform: Platform) -> None:
    platform.place.green.status = 401
    platform.place.engine.urls["green"] = "http://127.0.0.1:9"

    assert platform.rows()["edge"].standing == "cannot tell"


def test_a_kind_of_failure_that_nobody_foresaw_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        heard(lambda: 1 / 0)


# on a cluster


@pytest.fixture
def cluster(platform: Platform) -> FakeCluster:
    """The same release on a cluster whose pods only the cluster can ask."""
    made, world = FakeCluster(), platform.place.world
    state = platform.place.router.state
    assert state is not None
    world.settings = world.settings.model_copy(update={"runtime": "kubernetes"})
    told = LoadedModel(release_id="b", model=platform.model).canonical_json().decode()
    template = {"metadata": {"annotations": {LOADED: told}}}
    status = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}
    made.put("deployments", "support-green", {"replicas": 1, "template": template}, **status)
    made.put("services", "support", {})
    made.objects["services", "support"]["metadata"]["annotations"] = {STATE: state.canonical_json().decode()}
    world.__dict__["engine"] = KubernetesVllm(world.settings, made)  # type: ignore[arg-type]
    world.__dict__["router"] = ServiceRouter(world.settings, made)  # type: ignore[arg-type]
    return made


def test_on_a_cluster_ready_pods_vouch_for_model_and_bytes(platform: Platform, cluster: FakeCluster) -> None:
    rows = platform.rows()

    assert [rows[what].standing for what in ("router", "engine", "served files")] == ["ok"] * 3
    assert "init container" in rows["served files"].where
    assert rows["edge"].standing == "cannot tell"


def test_on_a_cluster_pods_that_are_not_ready_cannot_be_told(platform: Platform, cluster: FakeCluster) -> None:
    cluster.objects["deployments", "support-green"]["status"]["readyReplicas"] = 0

    assert platform.rows()["engine"].standing == "cannot tell"


def test_on_a_cluster_a_deployment_of_another_model_differs(platform: Platform, cluster: FakeCluster) -> None:
    other = LoadedModel(release_id="c", model=platform.model.model_copy(update={"sha256": sha("c")}))
    template = cluster.objects["deployments", "support-green"]["spec"]["template"]
    template["metadata"]["annotations"][LOADED] = other.canonical_json().decode()

    rows = platform.rows()

    assert rows["engine"].standing == rows["served files"].standing == "differs"
    assert sha("c") in rows["engine"].got


def test_a_cluster_that_is_away_cannot_be_told(platform: Platform, cluster: FakeCluster) -> None:
    def away(*_: object) -> None:
        raise ClusterAway("no route")

    cluster.read = away  # type: ignore[method-assign,assignment]

    assert {platform.rows()[what].standing for what in ("router", "engine", "served files")} == {"cannot tell"}


# what is printed


def test_people_get_a_row_each_and_what_differs_in_full(platform: Platform) -> None:
    _tampered_weights(platform)
    platform.place.engine.urls.clear()
    rows = list(platform.rows().values())
    console = Console(record=True, width=100)

    show(rows, console)

    text = console.export_text()
    table = [(line[:18].strip(), line[18:29].strip()) for line in text.splitlines()[1:9]]
    assert table[:3] == [("ledger", "ok"), ("approval", "ok"), ("router", "ok")]
    assert table[3:5] == [("engine", "cannot tell"), ("served files", "differs")]
    assert table[6:] == [("alias production", "ok"), ("alias previous", "ok")]
    assert "served files: differs" in text
    assert f"expected  {platform.model.sha256}" in text
    assert "1 of 8 differ: what serves is not what the records say" in text
    assert max(map(len, text.splitlines()[:9])) <= 100


def test_machines_get_every_row_and_the_exit_code(platform: Platform) -> None:
    told = json.loads(as_json("support", list(platform.rows().values())))

    assert told["exit_code"] == 0
    assert [row["standing"] for row in told["rows"]] == ["ok"] * 8
