"""What Airflow, the engines, the edge and `verify` say, as metrics."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.events import NOON, sha
from tests.fakes.metrics import series, value
from tests.fakes.pipeline import VLLM
from tests.fakes.release_world import ReleaseWorld
from tests.fakes.web import Answering, listening

from ratchet.clients import manifests
from ratchet.clients.airflow import TaskState
from ratchet.clients.edge_counts import NoEdge
from ratchet.clients.settings import Ports, Prices, Settings
from ratchet.clients.world import World
from ratchet.core.memo import Manifest
from ratchet.core.rollout import with_canary
from ratchet.core.verification import Row
from ratchet.recipes.catalogue import load_recipe
from ratchet.sight import edge, edge_pods, engines, production, releases, runs

ROOT = Path(__file__).parents[3]
ENVOY = """\
cluster.blue.upstream_rq_2xx: 90
cluster.blue.upstream_rq_completed: 95
cluster.blue.upstream_rq_5xx: 5
cluster.green.upstream_rq_completed: 7
cluster.green_first.upstream_rq_2xx: 7
"""
POD = """\
# TYPE envoy_ratchet_requests counter
envoy_ratchet_requests{colour="blue",release="a",status="200",flags="-"} 90
envoy_ratchet_requests{colour="blue",release="a",status="200",flags="DC"} 3
envoy_ratchet_requests{colour="blue",release="a",status="200",flags="UPE"} 2
envoy_ratchet_requests{colour="blue",release="a",status="404",flags="-"} 4
envoy_ratchet_requests{colour="blue",release="long-ago",status="200",flags="-"} 700
envoy_ratchet_requests{colour="",release="",status="401",flags="-"} 50
envoy_ratchet_requests{colour="",release="",status="0",flags="DC"} 6
envoy_ratchet_requests{colour="",release="",status="503",flags="UF,URX"} 3
"""


class Calendar:
    """An Airflow in which these runs happened, newest first: (state, outputs of its gate)."""

    def __init__(self, *told: tuple[str, dict[str, Any]], keys: dict[str, str] | None = None) -> None:
        self.told = told
        self.keys = keys or {}
        self.num_outputs = 0

    def knows(self, dag_id: str) -> bool:
        return dag_id == "release_support"

    def runs(self, dag_id: str, limit: int = 10) -> Sequence[dict[str, Any]]:
        began = NOON.isoformat()
        return [
            {"dag_run_id": f"run-{number}", "state": state, "start_date": began}
            for number, (state, _) in enumerate(self.told)
        ]

    def tasks(self, dag_id: str, run_id: str) -> Sequence[TaskState]:
        state, _ = self.told[int(run_id.removeprefix("run-"))]
        ended = [TaskState(task_id="gate", state=state, try_number=3)]
        return [*ended, *(TaskState(task_id=task, state="success", try_number=1) for task in self.keys)]

    def output(self, dag_id: str, run_id: str, task_id: str, field: str) -> Any:
        self.num_outputs += 1
        if field == "manifest_key":
            return self.keys.get(task_id)
        return self.told[int(run_id.removeprefix("run-"))][1].get(field)


@pytest.fixture
def place(tmp_path: Path) -> ReleaseWorld:
    """Release "a" is live on blue; "b" is staged on green."""
    return ReleaseWorld(tmp_path, "http://127.0.0.1:9")


@contextmanager
def _page(text: str) -> Iterator[int]:
    """A server that answers everything with this text; its port."""

    class Handler(Answering):
        def do_GET(self) -> None:
            self.answer(200, text.encode())

    with listening(Handler) as port:
        yield port


@pytest.mark.parametrize(
    ("states", "in_a_row"),
    [
        (("running", "failed", "failed", "success", "failed"), 2),  # what is not over counts neither way
        (("success", "failed"), 0),
        (("failed",), 1),
        ((), 0),
    ],
)
def test_failures_count_only_once_a_run_has_ended(states: tuple[str, ...], in_a_row: int) -> None:
    found = series(runs.families(runs.gather(Calendar(*((state, {}) for state in states)), "support")))

    assert value(found, "ratchet_dag_failures_in_a_row", dag="release_support") == in_a_row


def test_the_newest_run_is_told_with_its_state_and_the_newest_ended_one_with_its_tasks() -> None:
    airflow = Calendar(("running", {}), ("failed", {}))
    found = series(runs.families(runs.gather(airflow, "support")))

    assert value(found, "ratchet_dag_last_run_state", state="running") == 1
    assert value(found, "ratchet_dag_last_run_state", state="failed") == 0
    assert value(found, "ratchet_dag_last_run_timestamp_seconds") == NOON.timestamp()
    assert value(found, "ratchet_task_failed", task="gate") == 1
    assert value(found, "ratchet_task_retries", task="gate") == 2


def _newest(place: ReleaseWorld, airflow: Calendar, costs: Prices | None = None) -> releases.Releases:
    settings = Settings(root=ROOT, costs=costs)
    return releases.Releases(airflow, place.world.store, settings, load_recipe("support", ROOT))


def test_what_the_gate_found_last_is_told_without_the_slices_of_the_data(place: ReleaseWorld) -> None:
    check = {"name": "intent", "effect": 0.02, "low": 0.01, "high": 0.03, "threshold": -0.01, "num_samples": 600}
    of_slice = {**check, "name": "intent: refund", "slice_name": "refund"}
    refused = ("success", {"verdict": "FAIL", "checks": [check, of_slice]})
    airflow = Calendar(
        ("failed", {}), refused, ("success", {"verdict": "INCONCLUSIVE"}), ("success", {"verdict": "PASS"})
    )
    found = series(releases.families(_newest(place, airflow).gather()))

    assert value(found, "ratchet_gate_verdict", verdict="FAIL") == 1
    assert value(found, "ratchet_gate_not_passed_in_a_row") == 2
    assert value(found, "ratchet_gate_check_low") == 0.01
    assert value(found, "ratchet_gate_check_threshold", check="intent") == -0.01


def test_what_ended_runs_said_is_asked_once(place: ReleaseWorld) -> None:
    airflow = Calendar(("success", {"verdict": "PASS"}), ("success", {"verdict": "PASS"}))
    newest = _newest(place, airflow)
    newest.gather()
    asked = airflow.num_outputs
    newest.gather()

    assert airflow.num_outputs - asked <= 1  # the newest run's work


def test_a_run_costs_what_it_did_itself(place: ReleaseWorld) -> None:
    keys = {"resolve": sha("r"), "finetune": sha("f"), "evaluate_baseline": sha("e")}
    for task, (minute, seconds) in {
        "resolve": (10, 1.0),
        "finetune": (11, 3599.0),
        "evaluate_baseline": (1, 500.0),
    }.items():
        manifests.write(
            place.world.store,
            Manifest(
                step=task.removesuffix("_baseline"),
                key=keys[task],
                outputs={},
                started_at=NOON.replace(minute=minute),
                wall_seconds=seconds,
                peak_memory_mib=1,
            ),
        )
    prices = Prices(currency="EUR", cpu_per_hour=2.0)
    found = series(releases.families(_newest(place, Calendar(("success", {}), keys=keys), prices).gather()))

    assert value(found, "ratchet_run_cost", currency="EUR") == pytest.approx(2.0)
    assert value(found, "ratchet_run_step_seconds", step="finetune") == 3599
    assert value(found, "ratchet_run_step_seconds", step="evaluate") is None  # found, not done again


def test_an_engines_counts_are_told_by_line_colour_and_release() -> None:
    found = series(engines.families(engines.EngineFacts("support", "green", "b", VLLM)))

    of = {"line": "support", "colour": "green", "release": "b"}
    assert value(found, "llm_active_requests", **of) == 5
    assert value(found, "llm_tokens_generated_total", **of) == 100
    assert value(found, "llm_request_duration_seconds_bucket", le="0.3", **of) == 4
    assert value(found, "llm_request_duration_seconds_count", **of) == 10
    assert value(found, "llm_request_duration_seconds_sum", **of) == 12.5
    assert value(found, "llm_requests_finished_total", reason="stop", **of) == 9


def test_a_colour_that_is_meant_to_serve_nothing_is_not_missed(place: ReleaseWorld) -> None:
    place.engines.held.pop("green")

    assert engines.families(engines.gather(place.world, "support", "green")) == []
    with pytest.raises(engines.EngineAway, match="metrics"):
        engines.gather(place.world, "support", "blue")


def test_users_requests_are_counted_by_what_they_were_answered(place: ReleaseWorld) -> None:
    with _page(ENVOY) as port:
        found = series(edge.families(edge.gather(place.world, "support", Ports(edge_admin=port))))

    assert value(found, "llm_requests_total", colour="blue", release="a", code="5xx") == 5
    assert value(found, "llm_requests_total", colour="blue", release="a", code="cut") == 0
    assert value(found, "llm_requests_total", colour="green", release="b", code="2xx") == 7


def test_a_shadows_failures_are_nobodys(place: ReleaseWorld) -> None:
    assert place.switch.state is not None
    place.switch.state = with_canary(place.switch.state, "b", sha("b"), 0, seq=2)
    with _page(ENVOY) as port:
        found = series(edge.families(edge.gather(place.world, "support", Ports(edge_admin=port))))

    assert value(found, "llm_requests_total", colour="blue", code="2xx") == 90
    assert value(found, "llm_requests_total", colour="green", code="2xx") is None


def test_an_edge_that_does_not_count_is_away(place: ReleaseWorld) -> None:
    with _page("") as port, pytest.raises(NoEdge):
        edge.gather(place.world, "support", Ports(edge_admin=port))


def pod_of(name: str, address: str = "127.0.0.1", ready: str = "True") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": name}, "status": {"podIP": address, "conditions": conditions}}


def on_a_cluster(place: ReleaseWorld, *pods: dict[str, Any]) -> World:
    world = place.world
    cluster = FakeCluster()
    cluster.pods = list(pods)
    world.__dict__["cluster"] = cluster
    return world


def test_on_a_cluster_each_pod_of_the_edge_tells_what_it_counted(place: ReleaseWorld) -> None:
    world = on_a_cluster(place, pod_of("edge-1"), pod_of("edge-2"), {"metadata": {"name": "new"}, "status": {}})
    with _page(POD) as port:
        found = series(edge.families(edge_pods.gather(world, "support", port)))

    for pod in ("edge-1", "edge-2"):
        of = {"line": "support", "pod": pod}
        assert value(found, "llm_requests_total", colour="blue", release="a", code="2xx", **of) == 93
        assert value(found, "llm_requests_total", colour="blue", release="a", code="cut", **of) == 2
        assert value(found, "llm_requests_total", colour="none", release="none", code="5xx", **of) == 3
        # Its first failure has to be seen as a rise.
        assert value(found, "llm_requests_total", colour="green", release="b", code="5xx", **of) == 0
    assert sum(found.values()) == 2 * (93 + 2 + 4 + 3)


def test_a_pod_that_comes_or_goes_may_be_silent_and_one_that_is_ready_may_not(place: ReleaseWorld) -> None:
    gone = pod_of("edge-1", "127.0.0.2", ready="False")
    with _page(POD) as port:
        told = edge_pods.gather(on_a_cluster(place, gone, pod_of("edge-2")), "support", port).counts
        assert {one.pod for one in told} == {"edge-2"}  # a 0 would look like a restart
        with pytest.raises(NoEdge, match="edge-1"):
            edge_pods.gather(on_a_cluster(place, pod_of("edge-1", "127.0.0.2"), pod_of("edge-2")), "support", port)


def test_a_cluster_without_an_edge_is_told_as_such(place: ReleaseWorld) -> None:
    with pytest.raises(NoEdge, match=r"edge\.enabled"):
        edge_pods.gather(on_a_cluster(place), "support")


def test_a_part_that_nobody_could_ask_is_neither_in_order_nor_out_of_it() -> None:
    rows = [
        Row("router", "differs", "a", "b", "there"),
        Row("engine", "ok", "a", "a", "there"),
        Row("alias production", "cannot tell", "a", "MLflow is down", "there"),
        Row("served files", "cannot tell", "a", "not asked", "there"),
    ]
    found = series(production.families(production.ProductionFacts("support", rows)))

    assert value(found, "ratchet_in_order", part="router") == 0
    assert value(found, "ratchet_in_order", part="engine") == 1
    assert value(found, "ratchet_in_order", part="alias production") is None
    assert value(found, "ratchet_cannot_tell", part="alias production") == 1
    assert value(found, "ratchet_cannot_tell", part="served files") is None
