"""Why a pod ended, or never began, in words for whoever reads them at night."""

from dataclasses import dataclass
from typing import Any

from ratchet.core.errors import EXIT_TERMINAL, EXIT_TRANSIENT

_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
POD_LOST = "POD_LOST"


@dataclass(frozen=True)
class Ending:
    """`exit_code` is the step's own, or what stands for the pod's fate (core/errors.py); `why` and `code`, a row of
    core/failures.toml, are what the pod knows.
    """

    exit_code: int
    why: str = ""
    code: str | None = None


def ending(pod: dict[str, Any] | None, container: str) -> Ending:
    """`pod` is the Pod as the API tells it (camelCase), None when it is gone.

    Out of memory, an image that cannot be pulled and a missing volume are terminal: the same pod would end the same.
    Eviction, preemption and a lost node are not.
    """
    if pod is None:
        return Ending(
            EXIT_TRANSIENT, "its pod is gone: deleted by hand, or with its node; the next attempt goes on", POD_LOST
        )
    status = pod.get("status") or {}
    state = _state(status, container)
    if ended := state.get("terminated"):
        return _terminated(ended, pod, container)
    if waiting := state.get("waiting"):
        if waiting.get("reason") in _IMAGE_REASONS:
            return Ending(EXIT_TERMINAL, _image(pod, container, waiting), "IMAGE_PULL")
        if waiting.get("reason") == "CreateContainerConfigError":
            return Ending(
                EXIT_TERMINAL,
                f"its container cannot be made: {waiting.get('message')}; is helm/platform there?",
                "CLUSTER_REFUSED",
            )
    if unscheduled := _unscheduled(status):
        told = f"no node can take its pod: {unscheduled}; asked for {_asked(pod, container)}"
        return Ending(EXIT_TRANSIENT, told, "POD_UNSCHEDULABLE")
    reason = status.get("reason") or status.get("phase") or "unknown"
    told = f"its pod ended before the step did: {reason}. {status.get('message') or ''}".strip()
    return Ending(EXIT_TRANSIENT, told, POD_LOST)


@dataclass(frozen=True)
class Trouble:
    container: str
    why: str


def trouble(pod: dict[str, Any]) -> Trouble | None:
    """What ended or keeps from starting a pod that is meant to stay; None while it runs or is on its way."""
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for found in statuses:
        name, state = str(found.get("name")), found.get("state") or {}
        waiting, ended = (
            state.get("waiting") or {},
            state.get("terminated") or (found.get("lastState") or {}).get("terminated"),
        )
        if waiting.get("reason") in _IMAGE_REASONS:
            return Trouble(name, _image(pod, name, waiting))
        if ended and ended.get("exitCode") and not found.get("ready"):
            return Trouble(
                name, _terminated(ended, pod, name).why or f"{name} ended with exit code {ended['exitCode']}"
            )
    return None


def standing_of(pod: dict[str, Any]) -> str:
    """In a few words, how far a pod is."""
    status = pod.get("status") or {}
    if found := trouble(pod):
        return found.why
    if unscheduled := _unscheduled(status):
        return f"no node can take it: {unscheduled}"
    return str(status.get("phase") or "unknown").lower()


def _terminated(ended: dict[str, Any], pod: dict[str, Any], container: str) -> Ending:
    code = int(ended.get("exitCode") or 0)
    if ended.get("reason") == "OOMKilled":
        limit = _spec(pod, container).get("resources", {}).get("limits", {}).get("memory")
        return Ending(
            EXIT_TERMINAL,
            f"OUT OF MEMORY: the pod needed more than its limit of {limit}. Raise memory_gib for this step in the "
            "recipe, or make the work smaller (batch_size, max_seq_len_tokens); training goes on from its checkpoint",
            "OUT_OF_MEMORY",
        )
    status = pod.get("status") or {}
    if code and status.get("reason"):  # Evicted, Shutdown, NodeLost, Preempting, DeadlineExceeded
        told = f"its pod was ended by the cluster ({status['reason']}): {status.get('message')}"
        return Ending(EXIT_TRANSIENT, told, POD_LOST)
    return Ending(code)


def _image(pod: dict[str, Any], container: str, waiting: dict[str, Any]) -> str:
    image = _spec(pod, container).get("image")
    return (
        f"the image {image} cannot be pulled ({waiting.get('reason')}: {waiting.get('message')}). Build and push it "
        "(`make images`), or mend [kubernetes] image_prefix, image_tag or images in ratchet.toml"
    )


def _state(status: dict[str, Any], container: str) -> dict[str, Any]:
    statuses = status.get("containerStatuses") or ()
    return next((s.get("state") or {} for s in statuses if s.get("name") == container), {})


def _unscheduled(status: dict[str, Any]) -> str | None:
    conditions = status.get("conditions") or ()
    found = (c for c in conditions if c.get("type") == "PodScheduled" and c.get("status") == "False")
    return next((str(c.get("message") or c.get("reason")) for c in found), None)


def _asked(pod: dict[str, Any], container: str) -> str:
    requests = _spec(pod, container).get("resources", {}).get("requests", {})
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    parts = [f"{name}={value}" for name, value in {**requests, **selector}.items()]
    return ", ".join(parts) or "nothing in particular"


def _spec(pod: dict[str, Any], container: str) -> dict[str, Any]:
    containers = (pod.get("spec") or {}).get("containers") or ()
    return next((c for c in containers if c.get("name") == container), {})
