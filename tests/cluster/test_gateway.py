"""Weights of an HTTPRoute, written to a real API server.

Where Gateway API is not installed its resource is declared for the test: no gateway then carries traffic, but the
server merges, stores and refuses as it would.
"""

from collections.abc import Iterator

import pytest
import yaml
from tests.cluster.bench import ROOT, Bench, until
from tests.fakes.events import sha

from ratchet.clients.cluster import Cluster, Conflict
from ratchet.clients.kubernetes_router import GatewayRouter
from ratchet.clients.router import MovedMeanwhile
from ratchet.core.rollout import first_state, switched_to

pytestmark = pytest.mark.timeout(300)
RESOURCE = "httproutes.gateway.networking.k8s.io"
CRD = f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {RESOURCE}
  annotations: {{api-approved.kubernetes.io: unapproved, declared for a test}}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {{kind: HTTPRoute, plural: httproutes, singular: httproute}}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""
FIRST = first_state("blue", "a", sha("a"), seq=0)
SECOND = switched_to(FIRST, "green", "b", sha("b"), seq=3)


@pytest.fixture
def router(bench: Bench) -> Iterator[GatewayRouter]:
    """On the HTTPRoute that helm/serving makes."""
    declared = bool(bench.kubectl("get", "crd", RESOURCE, "--ignore-not-found"))
    if not declared:
        bench.kubectl("apply", "-f", "-", text=CRD.replace("unapproved, declared", "unapproved; declared"))
    options = ("--set", "router=gateway,gateway.name=public", "--show-only", "templates/users.yaml")
    rendered = bench.helm("template", "support", str(ROOT / "helm/serving"), *options)
    route = next(d for d in yaml.safe_load_all(rendered) if d and d["kind"] == "HTTPRoute")
    until(lambda: bench.kubectl("apply", "-f", "-", text=yaml.safe_dump(route)), 60, "the resource is served")
    nobody = bench.settings.kubernetes.model_copy(update={"edge_url": "http://127.0.0.1:9"})
    yield GatewayRouter(bench.settings.model_copy(update={"kubernetes": nobody}), Cluster(nobody))
    bench.kubectl("delete", RESOURCE, "support")
    if not declared:
        bench.kubectl("delete", "crd", RESOURCE)


def test_weights_move_and_of_two_writers_one_wins(bench: Bench, router: GatewayRouter) -> None:
    router.write(FIRST, instead_of=None)
    canary = SECOND.model_copy(update={"weights": {"blue": 90, "green": 10}})
    router.write(canary, instead_of=FIRST)

    (rule,) = bench.get(RESOURCE, "support")["spec"]["rules"]
    assert {ref["name"]: ref["weight"] for ref in rule["backendRefs"]} == {"support-blue": 90, "support-green": 10}
    assert len(rule["matches"]) == 3
    assert router.read() == canary
    with pytest.raises(MovedMeanwhile):
        router.write(SECOND, instead_of=FIRST)


def test_the_api_server_refuses_a_write_that_comes_too_late(bench: Bench, router: GatewayRouter) -> None:
    router.write(FIRST, instead_of=None)
    cluster = router.cluster
    seen = cluster.read(router.group, router.kind, "support")
    router.write(SECOND, instead_of=FIRST)

    with pytest.raises(Conflict):
        cluster.patch(router.group, router.kind, "support", {"metadata": seen["metadata"], "spec": {}})

    assert router.read() == SECOND
