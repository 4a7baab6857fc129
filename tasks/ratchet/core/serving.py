"""How a model line is served: the recipe says so, the engine is started so."""

from typing import Literal

from pydantic import Field, PositiveInt

from ratchet.core.contract import Contract


class ServingSettings(Contract):
    """vLLM's own words. `replicas` and `tensor_parallel_size` (GPUs per replica) are a cluster's.

    `gpu_memory_utilization` is the share of a GPU's memory for weights and KV cache; on a CPU nobody reads it.
    """

    replicas: PositiveInt = 1
    tensor_parallel_size: PositiveInt = 1
    gpu_memory_utilization: float = Field(default=0.9, gt=0.0, le=1.0)
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    max_model_len: PositiveInt | None = None
    max_num_seqs: PositiveInt = 16
