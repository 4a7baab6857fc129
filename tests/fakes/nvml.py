"""A stand-in for NVIDIA's library pynvml, for machines without a GPU: what it answers, and how it fails."""
# ruff: noqa: N801, N802 - names as NVIDIA gives them

from collections.abc import Set as AbstractSet
from types import SimpleNamespace
from typing import Any


class FakeNvml:
    """`fails_to_begin`: the error's name. `unknown`: questions that these GPUs do not know. `is_lost`: one fell off its
    bus.
    """

    class NVMLError(Exception):
        pass

    class NVMLError_LibraryNotFound(NVMLError):
        pass

    class NVMLError_DriverNotLoaded(NVMLError):
        pass

    class NVMLError_NotSupported(NVMLError):
        pass

    class NVMLError_NoPermission(NVMLError):
        pass

    def __init__(
        self,
        num_gpus: int = 0,
        unknown: AbstractSet[str] = frozenset(),
        fails_to_begin: str = "",
        is_lost: bool = False,
    ) -> None:
        self.num_gpus, self.unknown, self.fails_to_begin, self.is_lost = num_gpus, unknown, fails_to_begin, is_lost
        self.num_begun = self.num_ended = 0

    def nvmlInit(self) -> None:
        if self.fails_to_begin:
            raise getattr(self, self.fails_to_begin)("it does not begin")
        self.num_begun += 1

    def nvmlShutdown(self) -> None:
        self.num_ended += 1

    def nvmlDeviceGetCount(self) -> int:
        return self.num_gpus

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:
        return number

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "a GPU"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return self._known("nvmlDeviceGetUtilizationRates", SimpleNamespace(gpu=37, memory=5))

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return self._known("nvmlDeviceGetMemoryInfo", SimpleNamespace(used=3 * 2**30, total=80 * 2**30))

    def nvmlDeviceGetPowerUsage(self, handle: int) -> Any:
        return self._known("nvmlDeviceGetPowerUsage", 123_400)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> Any:
        return self._known("nvmlDeviceGetEnforcedPowerLimit", 700_000)

    def _known(self, question: str, answer: Any) -> Any:
        if self.is_lost:
            raise self.NVMLError("GPU is lost")
        if question in self.unknown:
            raise self.NVMLError_NotSupported("Not Supported")
        return answer
