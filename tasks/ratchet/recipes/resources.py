"""What a step's pod asks of a cluster. On one machine (runtime "process") nobody reads it."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from ratchet.core.contract import Contract


class Toleration(Contract):
    """Kubernetes' own words."""

    key: str
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class PodResources(Contract):
    """One step's pod.

    `memory_gib` is request and limit: a pod that needs more is ended, and the failure says so. `cpu` is a request; a
    step takes `num_threads` (default: one per CPU asked for). `scratch_gib` bounds the disk for models and checkpoints
    under way. `queue` is a Kueue LocalQueue. `grace_seconds` is what a pod gets between "stop" and the end, to write a
    last checkpoint.
    """

    cpu: PositiveFloat = 0.5
    num_threads: NonNegativeInt = 0
    memory_gib: PositiveFloat = 1.0
    scratch_gib: PositiveFloat = 4.0
    gpus: NonNegativeInt = 0
    gpu_resource: str = "nvidia.com/gpu"
    node_selector: dict[str, str] = Field(default={})
    tolerations: tuple[Toleration, ...] = ()
    queue: str = ""
    priority_class: str = ""
    grace_seconds: PositiveInt = 60
    labels: dict[str, str] = Field(default={}, description="further labels of the pod, for cost reports and policies")

    @property
    def threads(self) -> int:
        return self.num_threads or max(1, round(self.cpu))


# For the tiny base, so that a node of two cores takes every step, and two at a time.
TINY: dict[str, PodResources] = {
    "prepare": PodResources(memory_gib=1.5),
    "finetune": PodResources(num_threads=2, memory_gib=3, scratch_gib=8),
    "evaluate": PodResources(num_threads=2, memory_gib=3),
    "convert": PodResources(num_threads=2, memory_gib=4),
    "drift": PodResources(num_threads=2, memory_gib=3),
}
