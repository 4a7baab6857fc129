import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.fakes.cluster import FakeCluster
from tests.fakes.events import event, evidence, sha
from tests.fakes.records import version
from tests.fakes.release_world import ReleaseWorld
from tests.unit.report.evidence import folder

from ratchet.cli.trace import Untraceable, show, trace
from ratchet.clients import manifests
from ratchet.core.memo import Manifest
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

ROOT = Path(__file__).parents[3]
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("support", ROOT)


@pytest.fixture
def place(tmp_path: Path, recipe: Recipe) -> ReleaseWorld:
    """Release "b" is live, tuned on version 0; its decision report is in the store."""
    made = ReleaseWorld(tmp_path, "http://127.0.0.1:9")
    store = made.world.store
    train = store.put_bytes(b"rows")
    rows = train.model_copy(update={"sha256": sha("data b")})
    monday = {"by": "dora", "file_name": "monday.csv", "note": "the monday export"}
    tuned_on = version(rows, dataset=recipe.dataset, num_rows=3, uploads=(train,), **monday)
    made.world.datasets(recipe.dataset).append(lambda _: tuned_on)
    told = {
        "release_id": "b",
        "adapter": folder("3").model_dump(),
        "origin": {"base": folder("1").model_dump()},
        "train": train.model_dump(),
    }
    record = store.put_bytes(json.dumps({"evidence": told}).encode())
    outputs = {"verdict": "PASS", "record": record, "page": record, "summary": "fine"}
    manifests.write(
        store,
        Manifest(
            step="report", key="a" * 64, outputs=_report(outputs), started_at=AT, wall_seconds=1, peak_memory_mib=1
        ),
    )
    for kind in ("promoting", "promoted"):
        made.say(kind, "b", evidence=evidence("b"), dataset_sha256=sha("data b"), colour="green")
    return made


def _report(outputs: dict[str, Any]) -> dict[str, Any]:
    from ratchet.report.contract import ReportOutputs

    return ReportOutputs(**outputs).model_dump(mode="json")


def _line(**fields: Any) -> str:
    line = {
        "at": "2026-01-05T12:30:00.000Z",
        "request_id": "id-1",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "colour": "green",
        "release": "b",
        "ms_to_end": 420,
        "completion_tokens": 5,
        **fields,
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def _logged(place: ReleaseWorld, name: str = "access.log", **fields: Any) -> None:
    logs = place.world.settings.state / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / name).open("a") as file:
        file.write(_line(**fields))


def _shown(place: ReleaseWorld, recipe: Recipe, asked: str) -> str:
    console = Console(file=StringIO(), width=120)
    show(trace(place.world, recipe, asked), console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("asked", ["id-1", "chatcmpl-id-1", "cmpl-id-1"])
def test_an_answer_leads_to_the_release_the_model_and_the_rows(place: ReleaseWorld, recipe: Recipe, asked: str) -> None:
    _logged(place)

    shown = _shown(place, recipe, asked)

    for words in ("status 200", "5 tokens in 420 ms, by green", "b: promoted", sha("b")[:12], "3" * 12, "1" * 12):
        assert words in shown
    for words in ("version 0: 3 rows", "by dora", "monday.csv; the monday export", "blobs/", "ratchet report b"):
        assert words in shown


@pytest.mark.parametrize(("found", "shown"), [("4bf92f35", True), (None, False)])
def test_an_answer_that_a_collector_was_told_of_names_its_trace(
    place: ReleaseWorld, recipe: Recipe, found: str | None, shown: bool
) -> None:
    _logged(place, trace=found)

    assert (f"trace    {found}" in _shown(place, recipe, "id-1")) is shown


def test_a_release_is_traced_without_any_answer(place: ReleaseWorld, recipe: Recipe) -> None:
    assert "monday.csv" in _shown(place, recipe, "b")


def test_the_untuned_base_learned_from_nobodys_rows(place: ReleaseWorld, recipe: Recipe) -> None:
    _logged(place, release="a", colour="blue")

    shown = _shown(place, recipe, "id-1")

    assert "a: bootstrap" in shown
    assert "untuned base" in shown


def test_a_log_that_was_rotated_away_is_looked_into_too(place: ReleaseWorld, recipe: Recipe) -> None:
    _logged(place, name="access.log.1")
    _logged(place, request_id="another")

    assert trace(place.world, recipe, "id-1").event.release_id == "b"


def test_a_line_that_is_being_written_does_no_harm(place: ReleaseWorld, recipe: Recipe) -> None:
    _logged(place)
    with (place.world.settings.state / "logs" / "access.log").open("a") as file:
        file.write('{"request_id": "id-1", "rel')

    assert trace(place.world, recipe, "id-1").event.release_id == "b"


def test_what_was_said_of_an_answer_under_its_requests_id_is_not_taken_for_it(
    place: ReleaseWorld, recipe: Recipe
) -> None:
    _logged(place)
    _logged(place, path="/v1/feedback", release=None, status=202)

    assert trace(place.world, recipe, "id-1").event.release_id == "b"


def test_an_id_that_nobody_knows_is_told_where_it_was_looked_for(place: ReleaseWorld, recipe: Recipe) -> None:
    _logged(place)

    with pytest.raises(Untraceable, match=r"id-2 is neither a release nor in .*access\.log"):
        trace(place.world, recipe, "id-2")


def test_on_a_cluster_an_answer_is_in_the_log_of_one_of_the_edges_pods(place: ReleaseWorld, recipe: Recipe) -> None:
    cluster, world = FakeCluster(), place.world
    world.settings = world.settings.model_copy(update={"runtime": "kubernetes"})
    world.__dict__["cluster"] = cluster
    cluster.pods = [_edge("edge-0", "running"), _edge("edge-1", "running"), _edge("edge-2", "waiting")]
    others = (_line(request_id="a\u2028b"), _line(path="/v1/feedback", release=None, status=202))
    cluster.logs["edge-1"] = "starting\n" + _line().join(others)
    cluster.logs["edge-2"] = _line(request_id="id-2")  # which the real one would refuse to give: it has not begun

    assert trace(world, recipe, "id-1").event.release_id == "b"
    with pytest.raises(Untraceable, match="logs of the edge's pods"):
        trace(world, recipe, "id-2")


def test_a_pod_that_is_replaced_while_it_is_looked_for_is_passed_over(place: ReleaseWorld, recipe: Recipe) -> None:
    class Replaced(FakeCluster):
        def find(self, group: str, kind: str, labels: str) -> list[dict[str, Any]]:
            return [_edge("edge-gone", "running"), *self.pods]

    cluster, world = Replaced(), place.world
    world.settings = world.settings.model_copy(update={"runtime": "kubernetes"})
    world.__dict__["cluster"] = cluster
    cluster.pods, cluster.logs = [_edge("edge-1", "running")], {"edge-1": _line()}

    assert trace(world, recipe, "id-1").event.release_id == "b"


def _edge(name: str, state: str) -> dict[str, Any]:
    container = {"name": "edge", "restartCount": 0, "state": {state: {}}}
    return {"metadata": {"name": name}, "status": {"podIP": "127.0.0.1", "containerStatuses": [container]}}


def test_a_request_that_no_model_answered_says_so(place: ReleaseWorld, recipe: Recipe) -> None:
    _logged(place, release=None, status=413)

    with pytest.raises(Untraceable, match="status 413"):
        trace(place.world, recipe, "id-1")


def test_after_a_roll_back_the_release_is_the_one_that_answered(place: ReleaseWorld, recipe: Recipe) -> None:
    place.world.ledger("support").append(lambda _: event("rolled_back", "a"))
    _logged(place)

    assert trace(place.world, recipe, "id-1").event.release_id == "b"
