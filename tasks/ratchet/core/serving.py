"""How a model line is served: the recipe says so, the engine is started so."""

from typing import Literal, Self

from pydantic import Field, PositiveInt

from ratchet.core.contract import Contract
from ratchet.core.refs import FolderRef

Lane = Literal["merged", "adapter"]


class ServedParts(Contract):
    """What an engine loads in the adapter lane, instead of the merged model that was evaluated."""

    adapter: FolderRef
    base: FolderRef

    @property
    def digests(self) -> str:
        return parts_named(self.adapter.sha256, self.base.sha256)


def parts_named(adapter_sha256: str, base_sha256: str) -> str:
    """How the two digests are told together, wherever one digest stands for a merged model."""
    return f"adapter {adapter_sha256} on base {base_sha256}"


def lane_of(parts: ServedParts | None) -> Lane:
    return "adapter" if parts else "merged"


class ServingSettings(Contract):
    """vLLM's own words. `replicas` and `tensor_parallel_size` (GPUs per replica) are a cluster's.

    `gpu_memory_utilization` is the share of a GPU's memory for weights and KV cache; on a CPU nobody reads it.

    `lane`: a release ships as its merged model, or as its adapter on the base's own files (docs/serving.md).
    """

    lane: Lane = "merged"
    replicas: PositiveInt = 1
    tensor_parallel_size: PositiveInt = 1
    gpu_memory_utilization: float = Field(default=0.9, gt=0.0, le=1.0)
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    max_model_len: PositiveInt | None = None
    max_num_seqs: PositiveInt = 16

    def check_lane(self, parts: ServedParts | None) -> None:
        """Raises ValueError when `parts` are not what this lane loads: nothing falls back to the other one."""
        if self.lane != lane_of(parts):
            given = f"the parts {parts.digests}" if parts else "no parts"
            raise ValueError(f"serving.lane is {self.lane!r}, but there are {given}")

    def in_lane(self, lane: Lane) -> Self:
        return self.model_copy(update={"lane": lane})
