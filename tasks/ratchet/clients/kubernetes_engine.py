"""vLLM on a cluster: one Deployment per colour (helm/serving), told by an annotation of its pods what to serve.

Deployment support-green
  spec.replicas                                             0: nothing is meant to run
  spec.template.metadata.annotations["ratchet.dev/loaded"]  a LoadedModel; changing it replaces the pods

The pods see to the rest: an init container fetches and verifies the model, the readiness probe generates a token, and a
pod that is told to stop finishes its answers first.
"""

from typing import Any

from pydantic import ValidationError

from ratchet.clients.cluster import Cluster, object_name
from ratchet.clients.engine import COLOURS, LoadedModel
from ratchet.clients.pod_status import standing_of, trouble
from ratchet.clients.settings import Settings
from ratchet.core.errors import RatchetError, TerminalError
from ratchet.core.log import log
from ratchet.core.releases import Colour

LOADED = "ratchet.dev/loaded"
PORT = 8000
NUM_LOG_LINES = 12
_APPS, _CORE = "apis/apps/v1", "api/v1"


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
        replicas = max(model.serving.replicas, 1)
        self._intend(colour, deployment, replicas, model.canonical_json().decode())
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
        wanted, ready = deployment["spec"]["replicas"], status.get("readyReplicas", 0)
        stale = status.get("replicas", 0) - status.get("updatedReplicas", 0)
        if ready < 1 or stale:
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
        """One patch, refused if somebody else changed the Deployment since it was read."""
        change = {
            "metadata": {"resourceVersion": deployment["metadata"]["resourceVersion"]},
            "spec": {"replicas": replicas, "template": {"metadata": {"annotations": {LOADED: loaded}}}},
        }
        self.cluster.patch(_APPS, "deployments", self._name(colour), change)

    def _deployment(self, colour: Colour) -> dict[str, Any]:
        return self.cluster.read(_APPS, "deployments", self._name(colour))

    def _pods(self, colour: Colour) -> list[dict[str, Any]]:
        selector = f"app.kubernetes.io/instance={self.line},ratchet.dev/colour={colour}"
        return self.cluster.find(_CORE, "pods", selector)

    def _log(self, pod: dict[str, Any], container: str) -> str:
        try:
            return self.cluster.log(pod["metadata"]["name"], container, NUM_LOG_LINES)
        except RatchetError:  # a container that never ran has no log
            return ""

    def _name(self, colour: Colour) -> str:
        return f"{self.line}-{colour}"


def _intent(deployment: dict[str, Any]) -> LoadedModel | None:
    """Raises TerminalError for an annotation that other hands wrote."""
    annotations = deployment["spec"]["template"]["metadata"].get("annotations") or {}
    written = annotations.get(LOADED)
    if written is None or deployment["spec"]["replicas"] == 0:
        return None
    try:
        return LoadedModel.model_validate_json(written)
    except ValidationError as error:
        name = deployment["metadata"]["name"]
        raise TerminalError(
            f"deployment {name}, annotation {LOADED}: expected a release and its model, got {written[:80]!r}; "
            f"`kubectl scale deployment {name} --replicas=0`, then run again"
        ) from error
