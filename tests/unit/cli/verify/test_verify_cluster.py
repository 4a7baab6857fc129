"""On a cluster, whose pods only the cluster can ask."""

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.events import sha
from tests.unit.cli.verify.conftest import Platform

from ratchet.clients.cluster import ClusterAway
from ratchet.clients.engine import LoadedModel
from ratchet.clients.kubernetes_engine import LOADED, KubernetesVllm
from ratchet.clients.kubernetes_router import STATE, ServiceRouter


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
