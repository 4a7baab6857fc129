"""What the Kubernetes API answers, as our kinds of error; a server of our own says it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.fakes.web import Answering, listening

from ratchet.clients.cluster import Absent, Cluster, ClusterAway, ClusterRefused, Conflict
from ratchet.clients.settings import KubernetesSettings
from ratchet.core.errors import RatchetError, TerminalError


class Api:
    """Answers every request with `status` and `body`; keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.asked: list[tuple[str, str, Any, str]] = []

    def say(self, status: int, **fields: Any) -> None:
        self.status, self.body = status, json.dumps(fields).encode()


@pytest.fixture
def api() -> Iterator[tuple[Api, int]]:
    api = Api()

    class Handler(Answering):
        def _answer(self) -> None:
            content = self.body()
            kind = self.headers.get("Content-Type", "")
            api.asked.append((self.command, self.path, json.loads(content) if content else None, kind))
            self.answer(api.status, api.body)

        do_GET = do_PATCH = _answer

    with listening(Handler) as port:
        yield api, port


def cluster_at(folder: Path, port: int) -> Cluster:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return Cluster(KubernetesSettings(namespace="team", kubeconfig=folder / "kubeconfig"))


def test_an_object_is_read_by_its_path(api: tuple[Api, int], tmp_path: Path) -> None:
    api[0].say(200, spec={"replicas": 2})

    found = cluster_at(tmp_path, api[1]).read("apis/apps/v1", "deployments", "support-blue")

    assert found == {"spec": {"replicas": 2}}
    assert api[0].asked[0][:2] == ("GET", "/apis/apps/v1/namespaces/team/deployments/support-blue")


def test_a_patch_is_merged_by_the_server(api: tuple[Api, int], tmp_path: Path) -> None:
    cluster_at(tmp_path, api[1]).patch("api/v1", "services", "support", {"spec": {"selector": {"colour": "green"}}})

    method, path, body, kind = api[0].asked[0]
    assert (method, path) == ("PATCH", "/api/v1/namespaces/team/services/support")
    assert body == {"spec": {"selector": {"colour": "green"}}}
    assert kind == "application/merge-patch+json"


def test_pods_are_found_by_label_and_their_log_is_text(api: tuple[Api, int], tmp_path: Path) -> None:
    cluster = cluster_at(tmp_path, api[1])
    api[0].say(200, items=[{"metadata": {"name": "p"}}])
    assert cluster.find("api/v1", "pods", "colour=green") == [{"metadata": {"name": "p"}}]

    api[0].body = b"line 1\nline 2"
    assert cluster.log("p", "engine", 2) == "line 1\nline 2"
    assert "tailLines=2" in api[0].asked[1][1]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, Absent),
        (409, Conflict),
        (403, ClusterRefused),
        (401, ClusterRefused),
        (422, ClusterRefused),
        (429, ClusterAway),
        (503, ClusterAway),
    ],
)
def test_a_refusal_is_told_in_the_servers_own_words(
    api: tuple[Api, int], tmp_path: Path, status: int, kind: type[RatchetError]
) -> None:
    api[0].say(status, message='services "support" is forbidden: User "mia" cannot patch resource "services"')

    with pytest.raises(kind, match='cannot patch resource "services"'):
        cluster_at(tmp_path, api[1]).patch("api/v1", "services", "support", {})


def test_a_server_that_is_away_is_transient(tmp_path: Path) -> None:
    with pytest.raises(ClusterAway):
        cluster_at(tmp_path, 9).read("api/v1", "services", "support")


def test_no_way_to_any_cluster_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))

    with pytest.raises(TerminalError, match="set KUBECONFIG"):
        Cluster(KubernetesSettings()).read("api/v1", "services", "support")
