"""Engine and routers of a cluster, on its API in memory."""

from pathlib import Path
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.events import model, parts, sha
from tests.fakes.openai import Served, answering

from ratchet.clients import kubernetes_router as routers
from ratchet.clients.cluster import Absent, Conflict
from ratchet.clients.engine import LoadedModel, to_load
from ratchet.clients.kubernetes_engine import LOADED, KubernetesVllm
from ratchet.clients.kubernetes_router import GatewayRouter, ServiceRouter
from ratchet.clients.router import BrokenRoutes, EdgeLags, MovedMeanwhile, Router
from ratchet.clients.settings import KubernetesSettings, Settings, StoreSettings
from ratchet.core.errors import TerminalError
from ratchet.core.rollout import first_state, swapped_back, switched_to
from ratchet.core.serving import ServingSettings

FIRST = first_state("blue", "a", sha("a"), seq=0)
SECOND = switched_to(FIRST, "green", "b", sha("b"), seq=3)
B = LoadedModel(release_id="b", model=model("b"), serving=ServingSettings(replicas=3))


def settings(edge_url: str = "http://127.0.0.1:9") -> Settings:
    return Settings(
        root=Path("/p"),
        runtime="kubernetes",
        tracking_uri="http://mlflow",
        store=StoreSettings(kind="s3", bucket="b"),
        kubernetes=KubernetesSettings(namespace="team", edge_url=edge_url),
    )


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    for colour in ("blue", "green"):
        made.put(
            "deployments", f"support-{colour}", {"replicas": 0, "template": {"metadata": {"annotations": {"x": "y"}}}}
        )
    made.put("services", "support", {"selector": {"app.kubernetes.io/instance": "support"}})
    made.put("httproutes", "support", {"rules": [{"matches": [{"path": "/v1/models"}], "backendRefs": []}]})
    return made


@pytest.fixture
def engine(cluster: FakeCluster) -> KubernetesVllm:
    return KubernetesVllm(settings(), cluster)  # type: ignore[arg-type]


@pytest.fixture(params=[ServiceRouter, GatewayRouter])
def router(request: pytest.FixtureRequest, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> Router:
    monkeypatch.setattr(routers, "UNREACHABLE_SECONDS", 0.0)
    return request.param(settings(), cluster)


def deployment(cluster: FakeCluster) -> dict[str, Any]:
    return cluster.objects["deployments", "support-green"]


def test_a_colour_without_replicas_is_meant_to_serve_nothing(engine: KubernetesVllm) -> None:
    assert engine.loaded("green") is None
    assert engine.failure("green") is None


def test_loading_says_what_and_how_many_in_one_write(cluster: FakeCluster, engine: KubernetesVllm) -> None:
    engine.load("green", B)

    assert engine.loaded("green") == B
    assert deployment(cluster)["spec"]["replicas"] == 3
    assert deployment(cluster)["spec"]["template"]["metadata"]["annotations"]["x"] == "y"
    assert cluster.num_patches == 1


def test_pods_are_told_of_adapter_and_base_in_the_adapter_lane(cluster: FakeCluster, engine: KubernetesVllm) -> None:
    on_base = to_load("b", model("b"), parts("b"), ServingSettings())
    engine.load("green", on_base)

    told = deployment(cluster)["spec"]["template"]["metadata"]["annotations"][LOADED]
    assert engine.loaded("green") == LoadedModel.model_validate_json(told) == on_base
    assert on_base.folders == (parts("b").base, parts("b").adapter)


def test_what_is_there_already_is_not_loaded_again(cluster: FakeCluster, engine: KubernetesVllm) -> None:
    engine.load("green", B)
    engine.load("green", B)

    assert cluster.num_patches == 1


def test_unloading_leaves_no_replica_and_no_intent(cluster: FakeCluster, engine: KubernetesVllm) -> None:
    engine.load("green", B)
    engine.unload("green")
    engine.unload("green")

    assert engine.loaded("green") is None
    assert LOADED not in deployment(cluster)["spec"]["template"]["metadata"]["annotations"]
    assert cluster.num_patches == 2


def test_an_engine_changed_by_somebody_else_is_not_overwritten(cluster: FakeCluster, engine: KubernetesVllm) -> None:
    seen = cluster.read("", "deployments", "support-green")
    engine.load("green", B)

    with pytest.raises(Conflict):
        cluster.patch("", "deployments", "support-green", {"metadata": seen["metadata"], "spec": {"replicas": 0}})


def test_a_chart_that_is_not_there_is_named(engine: KubernetesVllm, cluster: FakeCluster) -> None:
    cluster.objects.clear()

    with pytest.raises(Absent, match="support-green"):
        engine.load("green", B)


def test_an_annotation_by_other_hands_is_named(cluster: FakeCluster, engine: KubernetesVllm) -> None:
    engine.load("green", B)
    deployment(cluster)["spec"]["template"]["metadata"]["annotations"][LOADED] = "{"

    with pytest.raises(TerminalError, match=r"ratchet\.dev/loaded"):
        engine.loaded("green")


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}, None),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 1}, "1 of 3"),
        ({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}, "just told"),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3}, "0 of 3"),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2}, "former model"),
    ],
)
def test_fit_for_users_means_ready_pods_of_this_model(
    cluster: FakeCluster, engine: KubernetesVllm, status: dict[str, int], problem: str | None
) -> None:
    engine.load("green", B)
    deployment(cluster)["status"] = status

    found = engine.problem("green", sha("b"))

    assert found is None if problem is None else problem in str(found)
    assert "not meant to serve" in str(engine.problem("green", sha("a")))


def test_an_engine_that_ended_is_told_with_the_end_of_its_log(cluster: FakeCluster, engine: KubernetesVllm) -> None:
    engine.load("green", B)
    ended = {"name": "fetch", "state": {"terminated": {"exitCode": 65}}}
    cluster.pods = [{"metadata": {"name": "support-green-1"}, "status": {"initContainerStatuses": [ended]}}]

    assert engine.failure("green") == "support-green-1: fetch ended with exit code 65\nlog of support-green-1/fetch"


def test_what_an_eviction_left_behind_is_no_failure_of_its_successor(
    cluster: FakeCluster, engine: KubernetesVllm
) -> None:
    engine.load("green", B)
    ended = {"name": "engine", "state": {"terminated": {"exitCode": 137}}}
    written = {"annotations": {LOADED: B.canonical_json().decode()}}
    evicted = {"phase": "Failed", "reason": "Evicted", "containerStatuses": [ended]}
    leaving = {"phase": "Running", "containerStatuses": [ended]}
    cluster.pods = [
        {"metadata": {"name": "evicted", **written}, "status": evicted},
        {"metadata": {"name": "leaving", "deletionTimestamp": "2026-01-05T00:00:00Z", **written}, "status": leaving},
    ]

    assert engine.failure("green") is None


def test_a_colour_is_given_on_only_when_its_former_pods_are_gone(
    cluster: FakeCluster, engine: KubernetesVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = {"metadata": {"name": "support-green-1", "annotations": {LOADED: "another model"}}, "status": {}}
    answers = iter([[former], [former], []])
    monkeypatch.setattr(cluster, "find", lambda *_: next(answers))
    monkeypatch.setattr("ratchet.clients.kubernetes_engine.POLL_SECONDS", 0.0)

    engine.load("green", B)

    assert list(answers) == []


def test_a_status_that_changed_meanwhile_hinders_nobody(
    cluster: FakeCluster, engine: KubernetesVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, first = cluster.patch, iter([True])

    def late(group: str, kind: str, name: str, change: dict[str, Any]) -> dict[str, Any]:
        if next(first, False):
            deployment(cluster)["metadata"]["resourceVersion"] = "99"  # as the controller does with each status
        return patch(group, kind, name, change)

    monkeypatch.setattr(cluster, "patch", late)

    engine.load("green", B)

    assert engine.loaded("green") == B


# routers


def test_before_the_first_write_there_is_no_state(router: Router) -> None:
    assert router.read() is None


def test_what_was_written_is_in_force(router: Router) -> None:
    router.write(FIRST, None)
    router.write(SECOND, FIRST)

    assert router.read() == SECOND


def test_of_two_writers_who_read_the_same_state_one_wins(router: Router) -> None:
    router.write(FIRST, None)
    router.write(SECOND, instead_of=FIRST)

    with pytest.raises(MovedMeanwhile):
        router.write(swapped_back(SECOND), instead_of=FIRST)

    assert router.read() == SECOND


def test_a_write_between_reading_and_writing_is_refused_by_the_cluster(
    router: Router, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    router.write(FIRST, None)
    patch = cluster.patch

    def late(group: str, kind: str, name: str, change: dict[str, Any]) -> dict[str, Any]:
        patch(group, kind, name, {"metadata": {"labels": {"by": "somebody else"}}})
        return patch(group, kind, name, change)

    monkeypatch.setattr(cluster, "patch", late)

    with pytest.raises(Conflict):
        router.write(SECOND, instead_of=FIRST)

    assert router.read() == FIRST


def test_a_state_by_other_hands_is_named(router: Router, cluster: FakeCluster) -> None:
    for found in cluster.objects.values():
        found["metadata"]["annotations"] = {routers.STATE: "{"}

    with pytest.raises(BrokenRoutes, match="router-state"):
        router.read()


def test_the_service_selects_the_active_colour_and_keeps_its_other_labels(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routers, "UNREACHABLE_SECONDS", 0.0)
    ServiceRouter(settings(), cluster).write(SECOND, None)  # type: ignore[arg-type]

    selector = cluster.objects["services", "support"]["spec"]["selector"]

    assert selector == {"app.kubernetes.io/instance": "support", "ratchet.dev/colour": "green"}


def test_the_route_has_the_weights_of_the_state_and_keeps_its_matches(cluster: FakeCluster) -> None:
    canary = SECOND.model_copy(update={"weights": {"blue": 90, "green": 10}})
    GatewayRouter(settings(), cluster).write(canary, None)  # type: ignore[arg-type]

    (rule,) = cluster.objects["httproutes", "support"]["spec"]["rules"]

    assert {ref["name"]: ref["weight"] for ref in rule["backendRefs"]} == {"support-blue": 90, "support-green": 10}
    assert rule["matches"] == [{"path": "/v1/models"}]


def test_a_write_returns_once_users_are_answered_by_the_new_colour(cluster: FakeCluster) -> None:
    with answering(lambda: Served().edge("green", "b")) as url:
        ServiceRouter(settings(url), cluster).write(SECOND, None)  # type: ignore[arg-type]


def test_an_edge_that_stays_behind_is_an_error(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routers, "TAKEN_TIMEOUT_SECONDS", 0.2)
    still_blue = Served().edge("blue", "a")
    with answering(lambda: still_blue) as url, pytest.raises(EdgeLags, match="blue still answers"):
        ServiceRouter(settings(url), cluster).write(SECOND, None)  # type: ignore[arg-type]
