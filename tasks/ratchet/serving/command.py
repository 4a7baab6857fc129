"""How vLLM is started, on a laptop and in a pod: its arguments and all of its environment."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ratchet.clients.engine import LoadedModel
from ratchet.clients.process import INHERITED, OFFLINE
from ratchet.core.adapter_folder import engine_rank
from ratchet.core.serving import ServingSettings
from ratchet.serving.middleware import COLOUR_VARIABLE, MODEL_VARIABLE, RELEASE_VARIABLE
from ratchet.serving.names import NAMES_VARIABLE
from ratchet.serving.weights import Adapter, Weights

KV_CACHE_GIB = 1
# Longer than the edge keeps an idle connection (local/edge.py).
KEEP_ALIVE_SECONDS = 75
# `n` of one request, which vLLM would take up to 16384: as many as it answers at a time by default.
MAX_CHOICES = 16
ON_A_CPU = {"TORCHDYNAMO_DISABLE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}


@dataclass(frozen=True)
class Listening:
    """Where it listens. Told to stop, it refuses new requests and finishes old ones for `shutdown_seconds`."""

    host: str
    port: int
    shutdown_seconds: int


def command(line: str, intended: LoadedModel, weights: Weights, device: str, listening: Listening) -> list[str]:
    """vLLM's own `vllm` script does not start in the CPU build (its package metadata is missing): the module does."""
    serving = intended.serving
    names = _names(line, intended)
    length = ("--max-model-len", str(serving.max_model_len)) if serving.max_model_len else ()
    return [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(weights.model), *(_on_base(names, weights.adapter) if weights.adapter else _named(names))),
        *("--host", listening.host, "--port", str(listening.port)),
        *("--dtype", serving.dtype, "--max-num-seqs", str(serving.max_num_seqs), *length),
        *(("--enforce-eager",) if device == "cpu" else _on_gpus(serving)),
        *(("--middleware", "ratchet.serving.names.OnlyTheRelease") if weights.adapter else ()),
        *("--middleware", "ratchet.serving.middleware.Answers"),
        *("--shutdown-timeout", str(listening.shutdown_seconds)),
        *("--disable-uvicorn-access-log", "--no-enable-log-requests"),
    ]


def told(line: str, intended: LoadedModel, colour: str) -> dict[str, str]:
    """What the middleware is told, as environment variables."""
    said = {COLOUR_VARIABLE: colour, RELEASE_VARIABLE: intended.release_id, MODEL_VARIABLE: intended.model.sha256}
    return {**said, NAMES_VARIABLE: " ".join(_names(line, intended))}


def _names(line: str, intended: LoadedModel) -> tuple[str, ...]:
    """The line's first."""
    return tuple(dict.fromkeys((line, intended.release_id, intended.model.sha256)))


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return ("--served-model-name", *names)


def _on_base(names: tuple[str, ...], adapter: Adapter) -> tuple[str, ...]:
    """The adapter has the release's names, each with a slot of its own: none ever waits for another's.

    The base must have a name, too: one that no release has, so that nothing takes the base for the candidate; and
    nobody gets it by that name (serving/names.py).
    """
    modules = (json.dumps({"name": name, "path": str(adapter.folder)}) for name in names)
    return (
        *_named((f"base-{adapter.base_sha256}",)),
        *("--enable-lora", "--max-lora-rank", str(engine_rank(adapter.rank)), "--max-loras", str(len(names))),
        *("--lora-modules", *modules),
    )


def _on_gpus(serving: ServingSettings) -> tuple[str, ...]:
    return (
        *("--tensor-parallel-size", str(serving.tensor_parallel_size)),
        *("--gpu-memory-utilization", str(serving.gpu_memory_utilization)),
    )


def environment(cache: Path, device: str, threads: int, own: Mapping[str, str]) -> dict[str, str]:
    """All that vLLM sees. Not PYTHONDONTWRITEBYTECODE: each process would compile what it imports, for 13 s.

    On a CPU nothing is compiled: log-probabilities would be, even with --enforce-eager, and that needs a C++ compiler.
    And the engine's core runs the model itself, as it does on one GPU: vLLM would give it a process of its own, to bind
    threads to cores, which is off here; without it a start costs 28 s of CPU instead of 36, and 390 MiB less.
    """
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {
        **inherited,
        **OFFLINE,
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_MAX_N_SEQUENCES": str(MAX_CHOICES),
        "VLLM_CPU_KVCACHE_SPACE": str(KV_CACHE_GIB),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(threads),
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": str(KEEP_ALIVE_SECONDS),
        "VLLM_CACHE_ROOT": str(cache / "vllm"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torchinductor"),
        "PYTHONUNBUFFERED": "1",
        **(ON_A_CPU if device == "cpu" else {}),
        **own,
    }
