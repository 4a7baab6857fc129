"""The pod of one step, as plain data: what a person would write as YAML. Restricted Pod Security throughout."""

from dataclasses import dataclass
from typing import Any

from ratchet import __version__
from ratchet.clients.process import OFFLINE, PATIENT
from ratchet.clients.settings import CONFIG_VARIABLE, OVERRIDES, SECRETS_VARIABLE, Settings
from ratchet.core.contract import digest_json
from ratchet.core.log import FORMAT_VARIABLE
from ratchet.core.memo import KEY_VARIABLE
from ratchet.core.telemetry import PARENT_VARIABLE
from ratchet.orchestration.runtime import Work
from ratchet.recipes.resources import PodResources

CONTAINER = "step"
# Chart helm/platform makes these.
CONFIG_MAP, CONFIG_FILE = "ratchet-config", "ratchet.toml"
STORE_SECRET = "ratchet-store"  # noqa: S105 - the name of a Kubernetes object
SERVES, COMPUTES = "ratchet-serving", "ratchet-compute"
PROJECT, STATE, SECRETS = "/opt/ratchet", "/scratch", "/secrets"
USER_ID = 1000
TMP_LIMIT = "1Gi"
KEY_LABEL, TASK_LABEL = "ratchet.dev/key", "ratchet.dev/task"
LABEL_LENGTH = 63  # Kubernetes' limit


@dataclass(frozen=True)
class Origin:
    """Where in Airflow the work comes from, for whoever finds the pod; and how long Airflow gives it."""

    line: str
    dag_id: str
    task_id: str
    url: str = ""
    deadline_seconds: int | None = None


def image_of(settings: Settings, image: str) -> str:
    kubernetes = settings.kubernetes
    tag = kubernetes.image_tag or f"{__version__}-{settings.device}"
    return kubernetes.images.get(image, f"{kubernetes.image_prefix}/{image}:{tag}")


def pod_name(work: Work) -> str:
    """The same work has the same name, so that it cannot run twice at a time."""
    return f"ratchet-{work.step.name}-{work.key[:16]}"


def key_label(key: str) -> str:
    return key[:40]


def task_label(origin: Origin, run_id: str) -> str:
    """One name for all attempts of one task in one run; ids may be longer than a label, and hold anything."""
    return digest_json([origin.dag_id, origin.task_id, run_id])[:40]


def pod(work: Work, resources: PodResources, settings: Settings, origin: Origin) -> dict[str, Any]:
    serves = work.step.serves  # the others get no Kubernetes token at all
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(work),
            "namespace": settings.kubernetes.namespace,
            "labels": _labels(work, resources, origin),
            "annotations": {
                "ratchet.dev/key": work.key,
                "ratchet.dev/run": work.run_id,
                "ratchet.dev/dag": origin.dag_id,
                "ratchet.dev/task": origin.task_id,
                "ratchet.dev/task-url": origin.url,
                # An autoscaler must not move a training pod to save a node.
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            },
        },
        "spec": {
            "restartPolicy": "Never",  # who retries, and how often, is decided in one place: the DAG
            "serviceAccountName": SERVES if serves else COMPUTES,
            "automountServiceAccountToken": serves,
            "terminationGracePeriodSeconds": resources.grace_seconds,
            # A pod that everybody has forgotten ends by itself.
            **({"activeDeadlineSeconds": origin.deadline_seconds} if origin.deadline_seconds else {}),
            "nodeSelector": resources.node_selector,
            "tolerations": [_toleration(toleration.model_dump()) for toleration in resources.tolerations],
            **({"priorityClassName": resources.priority_class} if resources.priority_class else {}),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER_ID,
                "runAsGroup": USER_ID,
                "fsGroup": USER_ID,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(work, resources, settings)],
            "volumes": [
                {"name": "config", "configMap": {"name": CONFIG_MAP}},
                {"name": "secrets", "secret": {"secretName": STORE_SECRET, "optional": True, "defaultMode": 0o440}},
                {"name": "scratch", "emptyDir": {"sizeLimit": _gib(resources.scratch_gib)}},
                {"name": "tmp", "emptyDir": {"sizeLimit": TMP_LIMIT}},
            ],
        },
    }


def _container(work: Work, resources: PodResources, settings: Settings) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": image_of(settings, work.step.image),
        "imagePullPolicy": "IfNotPresent",
        # Kubernetes replaces $(NAME) in arguments, and makes one $ of two.
        "args": ["ratchet", work.step.name, work.inputs.canonical_json().decode().replace("$", "$$")],
        "env": [{"name": name, "value": value} for name, value in sorted(_environment(work, resources).items())],
        "resources": _resources(resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": f"{PROJECT}/{CONFIG_FILE}", "subPath": CONFIG_FILE, "readOnly": True},
            {"name": "secrets", "mountPath": SECRETS, "readOnly": True},
            {"name": "scratch", "mountPath": STATE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
    }


def _environment(work: Work, resources: PodResources) -> dict[str, str]:
    return {
        **OFFLINE,
        **PATIENT,
        "HOME": "/tmp",  # noqa: S108
        "PYTHONUNBUFFERED": "1",
        CONFIG_VARIABLE: f"{PROJECT}/{CONFIG_FILE}",
        OVERRIDES["root"]: PROJECT,
        OVERRIDES["state_dir"]: STATE,
        OVERRIDES["step_threads"]: str(resources.threads),
        "OMP_NUM_THREADS": str(resources.threads),
        SECRETS_VARIABLE: SECRETS,
        "RATCHET_RUN_ID": work.run_id,
        "RATCHET_ATTEMPT": work.attempt,
        PARENT_VARIABLE: work.trace.traceparent,
        KEY_VARIABLE: work.key,
        FORMAT_VARIABLE: "readable",
    }


def _labels(work: Work, resources: PodResources, origin: Origin) -> dict[str, str]:
    return {
        **resources.labels,
        "app.kubernetes.io/name": "ratchet",
        "app.kubernetes.io/component": "step",
        "app.kubernetes.io/managed-by": "airflow",
        "app.kubernetes.io/version": __version__,
        "ratchet.dev/line": origin.line[:LABEL_LENGTH],
        "ratchet.dev/step": work.step.name,
        KEY_LABEL: key_label(work.key),
        TASK_LABEL: task_label(origin, work.run_id),
        **({"kueue.x-k8s.io/queue-name": resources.queue} if resources.queue else {}),
    }


def _resources(resources: PodResources) -> dict[str, Any]:
    gpus = {resources.gpu_resource: str(resources.gpus)} if resources.gpus else {}
    memory = _gib(resources.memory_gib)
    return {"requests": {"cpu": str(resources.cpu), "memory": memory, **gpus}, "limits": {"memory": memory, **gpus}}


def _toleration(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _gib(amount: float) -> str:
    return f"{round(amount * 1024)}Mi"
