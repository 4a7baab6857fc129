"""vLLM on a cluster: one Deployment per colour (helm/serving), told by an annotation of its pods what to serve.

Deployment support-green
  spec.replicas                                             0: nothing is meant to run
  spec.template.metadata.annotations["ratchet.dev/loaded"]  a LoadedModel; changing it replaces the pods

The pods see to the rest: an init container fetches and verifies the model, the readiness probe generates a token, and a
pod that is told to stop finishes its answers first.
"""

import time
from typing import Any

from pydantic import ValidationError

from ratchet.clients.cluster import Cluster, Conflict, object_name
from ratchet.clients.engine import COLOURS, BrokenIntent, LoadedModel
from ratchet.clients.pod_status import standing_of, trouble
from ratchet.clients.settings import Settings
from ratchet.core.errors import RatchetError, TransientError
from ratchet.core.log import log
from ratchet.core.releases import Colour

LOADED = "ratchet.dev/loaded"
PORT = 8000
NUM_LOG_LINES = 12
# Longer than a pod may take to finish its answers (engine.drainSeconds of helm/serving, 120, and its margins).
FORMER_PODS_SECONDS = 600.0
POLL_SECONDS = 0.5
_APPS, _CORE = "apis/apps/v1", "api/v1"


class FormerPodsStay(TransientError, TimeoutError):
    """The pods of the model that a colour had before do not end."""

    code = "SERVE_NOT_READY"


class KubernetesVllm:
    """The Engine of a cluster. `line` is the recipe's, and the name under which helm/serving is installed."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self.line = object_name(settings.recipe)
        self.namespace = settings.kubernetes.namespace
        self.cluster = cluster

    def loaded(self, colour: Colour) -> LoadedModel | None:
        return _intent(self._deployment(colour))

    def load(self, colour: Colour, model: LoadedModel) -> None:
        deployment = self._deployment(colour)
        if _intent(deployment) == model and self.failure(colour) is None:
            log.info("load skipped: it is there already", extra={"colour": colour, "release": model.release_id})
            return
        told = model.canonical_json().decode()
        self._intend(colour, deployment, model.serving.replicas, told)
        self._await_former_pods_gone(colour, told)
        log.info("loading", extra={"colour": colour, "release": model.release_id, "model": model.model.sha256[:12]})

    def unload(self, colour: Colour) -> None:
        deployment = self._deployment(colour)
        if deployment["spec"]["replicas"] == 0 and _intent(deployment) is None:
            return
        self._intend(colour, deployment, 0, None)
        log.info("unloaded", extra={"colour": colour})

    def url(self, colour: Colour) -> str:
        return f"http://{self._name(colour)}.{self.namespace}.svc:{PORT}"

    def failure(self, colour: Colour) -> str | None:
        if not self.loaded(colour):
            return None
        for pod in self._pods(colour):
            if found := trouble(pod):
                return f"{pod['metadata']['name']}: {found.why}\n{self._log(pod, found.container)}".strip()
        return None

    def problem(self, colour: Colour, model_sha256: str) -> str | None:
        """What the cluster's own probes say: a pod is ready when it has generated a token as this model."""
        deployment = self._deployment(colour)
        loaded, status = _intent(deployment), deployment.get("status", {})
        if loaded is None or loaded.model.sha256 != model_sha256:
            return f"{colour} is not meant to serve {model_sha256[:12]}"
        if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
            return f"{colour} was just told what to serve"
        ready, stale = status.get("readyReplicas", 0), status.get("replicas", 0) - status.get("updatedReplicas", 0)
        wanted = min(deployment["spec"]["replicas"], loaded.serving.replicas)  # an autoscaler may be adding some
        if ready < wanted or stale:
            standing = "; ".join(f"{pod['metadata']['name']}: {standing_of(pod)}" for pod in self._pods(colour))
            return f"{ready} of {wanted} pods of {colour} are ready, {stale} still have the former model. {standing}"
        return None

    def states(self) -> list[tuple[str, str, str]]:
        """(name, state, detail) of both colours, for people."""
        told = []
        for colour in COLOURS:
            deployment = self._deployment(colour)
            wanted, ready = deployment["spec"]["replicas"], deployment.get("status", {}).get("readyReplicas", 0)
            loaded = _intent(deployment)
            state = "stopped" if not wanted else "running" if ready >= wanted else "starting"
            told.append(
                (deployment["metadata"]["name"], state, f"{ready}/{wanted} ready {loaded.release_id if loaded else ''}")
            )
        return told

    def _intend(self, colour: Colour, deployment: dict[str, Any], replicas: int, loaded: str | None) -> None:
        """One patch, refused if somebody else changed what the Deployment is meant to be since it was read."""
        intended = _intent(deployment)
        while True:
            change = {
                "metadata": {"resourceVersion": deployment["metadata"]["resourceVersion"]},
                "spec": {"replicas": replicas, "template": {"metadata": {"annotations": {LOADED: loaded}}}},
            }
            try:
                self.cluster.patch(_APPS, "deployments", self._name(colour), change)
                return
            except Conflict:
                deployment = self._deployment(colour)
                if _intent(deployment) != intended:
                    raise  # else only its status changed, as it does all the time

    def _await_former_pods_gone(self, colour: Colour, told: str) -> None:
        """Until then the colour's address may lead to the former model, which refuses to answer as this one."""
        deadline = time.monotonic() + FORMER_PODS_SECONDS
        while former := [pod for pod in self._all_pods(colour) if _annotation(pod["metadata"]) != told]:
            if time.monotonic() > deadline:
                names = ", ".join(pod["metadata"]["name"] for pod in former)
                raise FormerPodsStay(
                    f"{names}: still there {FORMER_PODS_SECONDS:.0f} s after {colour} got another model"
                )
            time.sleep(POLL_SECONDS)

    def _deployment(self, colour: Colour) -> dict[str, Any]:
        return self.cluster.read(_APPS, "deployments", self._name(colour))

    def _pods(self, colour: Colour) -> list[dict[str, Any]]:
        """Those that are, or are to be, at work: not what an eviction left behind, nor what is on its way out."""
        return [
            pod
            for pod in self._all_pods(colour)
            if pod["metadata"].get("deletionTimestamp") is None
            and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
        ]

    def _all_pods(self, colour: Colour) -> list[dict[str, Any]]:
        selector = f"app.kubernetes.io/instance={self.line},ratchet.dev/colour={colour}"
        return self.cluster.find(_CORE, "pods", selector)

    def _log(self, pod: dict[str, Any], container: str) -> str:
        try:
            return self.cluster.log(pod["metadata"]["name"], container, NUM_LOG_LINES)
        except RatchetError:  # a container that never ran has no log
            return ""

    def _name(self, colour: Colour) -> str:
        return f"{self.line}-{colour}"


def _annotation(metadata: dict[str, Any]) -> str | None:
    return (metadata.get("annotations") or {}).get(LOADED)


def _intent(deployment: dict[str, Any]) -> LoadedModel | None:
    """Raises BrokenIntent for an annotation that other hands wrote."""
    written = _annotation(deployment["spec"]["template"]["metadata"])
    if written is None or deployment["spec"]["replicas"] == 0:
        return None
    try:
        return LoadedModel.model_validate_json(written)
    except ValidationError as error:
        name = deployment["metadata"]["name"]
        raise BrokenIntent(
            f"deployment {name}, annotation {LOADED}: expected a release and its model, got {written[:80]!r}; "
            f"`kubectl scale deployment {name} --replicas=0`, then run again"
        ) from error
