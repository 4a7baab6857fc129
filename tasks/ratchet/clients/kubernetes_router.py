"""Where a cluster's users go: a Service's selector, or the weights of an HTTPRoute where the cluster has Gateway API.

The state in force is an annotation of the very object that moves the traffic. Both change in one write, which the API
server refuses when somebody else wrote since.
"""

import os
import time
from typing import Any

from ratchet.clients.cluster import Cluster, object_name
from ratchet.clients.edge_keys import BrokenKeys, own_key
from ratchet.clients.engine import COLOURS
from ratchet.clients.http import http_client
from ratchet.clients.kubernetes_engine import PORT
from ratchet.clients.openai import COLOUR_HEADER, bearer
from ratchet.clients.router import BrokenRoutes, EdgeLags, MovedMeanwhile, Traffic
from ratchet.clients.settings import Settings
from ratchet.core.log import log
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState

STATE = "ratchet.dev/router-state"
COLOUR_LABEL = "ratchet.dev/colour"
NUM_SAME_ANSWERS = 3
UNREACHABLE_SECONDS = 1.0
TAKEN_TIMEOUT_SECONDS = 15.0
POLL_SECONDS = 0.02


class _AnnotatedRouter:
    """What both routers share: state and traffic are one object of the cluster."""

    group: str
    kind: str

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self.line = object_name(settings.recipe)
        self.namespace = settings.kubernetes.namespace
        self.edge_url = settings.kubernetes.edge_url
        self.cluster = cluster
        self.settings = settings

    def read(self) -> RouterState | None:
        return self._state(self._object())

    def write(self, state: RouterState, instead_of: RouterState | None) -> None:
        found = self._object()
        if self._state(found) != instead_of:
            raise MovedMeanwhile(f"{self._where()} was moved by somebody else meanwhile; look again, then run again")
        change = {
            "metadata": {
                "resourceVersion": found["metadata"]["resourceVersion"],
                "annotations": {STATE: state.canonical_json().decode()},
            },
            "spec": self._traffic(state, found),
        }
        self.cluster.patch(self.group, self.kind, self.line, change)
        self._wait_until_taken(state)

    def url(self) -> str:
        return f"http://{self.line}.{self.namespace}.svc:{PORT}"

    def why_no_canary(self) -> str | None:
        return None

    def traffic(self, colour: Colour) -> Traffic | None:  # noqa: ARG002 - the gateways' counters differ
        return None

    def _object(self) -> dict[str, Any]:
        return self.cluster.read(self.group, self.kind, self.line)

    def _state(self, found: dict[str, Any]) -> RouterState | None:
        written = (found["metadata"].get("annotations") or {}).get(STATE)
        if written is None:
            return None
        try:
            return RouterState.model_validate_json(written)
        except ValueError as error:
            raise BrokenRoutes(
                f"{self._where()}, annotation {STATE}: expected what Ratchet writes, got {written[:80]!r}; put it "
                "back, or remove it: `ratchet up` then sends users to what the ledger says"
            ) from error

    def _traffic(self, state: RouterState, found: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def _where(self) -> str:
        return f"{self.kind}/{self.line} in namespace {self.namespace}"

    def _wait_until_taken(self, state: RouterState) -> None:
        """The cluster's nodes follow within a second or so; ask the way users do until the answers say so.

        A person's machine may not reach the users' address: then the endpoints' own change is all there is to see.
        """
        if any(weight not in (0, 100) for weight in state.weights.values()):
            return  # both colours answer now
        started, same = time.monotonic(), 0
        while same < NUM_SAME_ANSWERS:
            answered = self._answering_colour()
            if answered is None and time.monotonic() - started >= UNREACHABLE_SECONDS:
                log.warning("the users' address cannot be asked from here", extra={"url": self._asked()})
                return
            if time.monotonic() - started > TAKEN_TIMEOUT_SECONDS:
                raise EdgeLags(
                    f"{self._where()} was moved to {state.active}, but {answered} still answers after "
                    f"{TAKEN_TIMEOUT_SECONDS:.0f} s; are its pods ready? See `kubectl describe`"
                )
            same = same + 1 if answered == state.active else 0
            time.sleep(POLL_SECONDS)
        log.info("the edge took the state", extra={"active": state.active, "seconds": time.monotonic() - started})

    def _answering_colour(self) -> str | None:
        import httpx

        try:
            # A connection of its own each time: an open one stays with the pod that it was made to.
            headers = {"Connection": "close", **bearer(own_key(self.settings))}
            response = http_client().get(f"{self._asked()}/v1/models", headers=headers, timeout=5.0)
        except (httpx.HTTPError, BrokenKeys):
            return None
        # Something before the engines may answer itself, to ask for a key say: that tells nothing.
        found = response.headers.get(COLOUR_HEADER)
        return str(found) if found else None

    def _asked(self) -> str:
        """Pods ask by the Service's name; from outside there is only what people use."""
        return self.url() if "KUBERNETES_SERVICE_HOST" in os.environ else self.edge_url or self.url()


class ServiceRouter(_AnnotatedRouter):
    """All users on one colour: a Service has one selector. Engines close each connection, so that none stays behind."""

    group, kind = "api/v1", "services"

    def why_no_canary(self) -> str | None:
        return f"{self._where()} has one selector, so all users are on one colour; a cluster with Gateway API can share"

    def _traffic(self, state: RouterState, found: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"selector": {COLOUR_LABEL: state.active}}


class GatewayRouter(_AnnotatedRouter):
    """Weights per colour, by the first rule of an HTTPRoute whose backends are the colours' Services."""

    group, kind = "apis/gateway.networking.k8s.io/v1", "httproutes"

    def url(self) -> str:
        return self.edge_url

    def _traffic(self, state: RouterState, found: dict[str, Any]) -> dict[str, Any]:
        first, *others = found["spec"]["rules"]
        backends = [self._backend(colour, state.weights.get(colour, 0)) for colour in COLOURS]
        return {"rules": [{**first, "backendRefs": backends, "filters": self._filters(state, first)}, *others]}

    def _filters(self, state: RouterState, rule: dict[str, Any]) -> list[dict[str, Any]]:
        kept = [entry for entry in rule.get("filters") or () if entry["type"] != "RequestMirror"]
        if state.shadow is None:
            return kept
        backend = {"name": f"{self.line}-{state.shadow}", "port": PORT}
        return [*kept, {"type": "RequestMirror", "requestMirror": {"backendRef": backend}}]

    def _backend(self, colour: Colour, weight: int) -> dict[str, Any]:
        return {"name": f"{self.line}-{colour}", "port": PORT, "weight": weight}
