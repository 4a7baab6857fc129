"""What NVIDIA's driver says of this machine's GPUs (NVML). Without a driver there is nothing to tell, and no error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.metrics_core import Metric

from ratchet.core.errors import TransientError
from ratchet.sight.families import Samples, gauges


class GpuAway(TransientError, RuntimeError):
    """There is a driver, and it does not answer."""

    code = "UNAVAILABLE"


@dataclass(frozen=True)
class Gpu:
    """`number` is NVML's, from 0. A figure is None where this GPU does not tell it."""

    number: int
    name: str
    utilization: float | None
    memory_used_bytes: float | None
    memory_total_bytes: float | None
    power_watts: float | None
    power_limit_watts: float | None


@dataclass(frozen=True)
class GpuFacts:
    line: str
    gpus: Sequence[Gpu]


def gather(line: str, nvml: Any) -> GpuFacts:
    """`nvml` is the module pynvml, or one like it. Raises GpuAway."""
    try:
        nvml.nvmlInit()
    except (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded):
        return GpuFacts(line, ())
    except nvml.NVMLError as error:
        raise GpuAway(f"NVIDIA's driver does not start: {error}; `nvidia-smi` says more") from error
    try:
        return GpuFacts(line, [_gpu(nvml, number) for number in range(nvml.nvmlDeviceGetCount())])
    except nvml.NVMLError as error:
        raise GpuAway(f"NVIDIA's driver does not answer: {error}; `nvidia-smi` says more") from error
    finally:
        nvml.nvmlShutdown()


def families(facts: GpuFacts) -> list[Metric]:
    def told(field: str) -> Samples:
        return {(str(gpu.number), gpu.name): getattr(gpu, field) for gpu in facts.gpus}

    return [
        gauges(facts.line, f"ratchet_gpu_{name}", text, ("gpu", "model"), told(field)) for name, field, text in TOLD
    ]


# Metric, field, meaning.
TOLD = (
    ("utilization_ratio", "utilization", "Share of the last moments in which the GPU computed, 0 to 1."),
    ("memory_used_bytes", "memory_used_bytes", "Memory in use."),
    ("memory_total_bytes", "memory_total_bytes", "Memory that there is."),
    ("power_watts", "power_watts", "What it draws."),
    ("power_limit_watts", "power_limit_watts", "What it may draw."),
)
_WATTS = 1e-3  # NVML tells milliwatts
_PERCENT = 1e-2


def _gpu(nvml: Any, number: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)

    def ask(question: str, field: str = "", unit: float = 1.0) -> float | None:
        """None where this GPU does not know: a MIG part has no utilization, many a card no power."""
        try:
            answer = getattr(nvml, question)(handle)
        except (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission):
            return None
        return float(getattr(answer, field) if field else answer) * unit

    return Gpu(
        number=number,
        name=str(nvml.nvmlDeviceGetName(handle)),
        utilization=ask("nvmlDeviceGetUtilizationRates", "gpu", _PERCENT),
        memory_used_bytes=ask("nvmlDeviceGetMemoryInfo", "used"),
        memory_total_bytes=ask("nvmlDeviceGetMemoryInfo", "total"),
        power_watts=ask("nvmlDeviceGetPowerUsage", unit=_WATTS),
        power_limit_watts=ask("nvmlDeviceGetEnforcedPowerLimit", unit=_WATTS),
    )
