"""GPUs are told where there is a driver; where there is none there is nothing to tell, which is no error."""

from typing import Any

import pytest
from tests.fakes.metrics import series, value
from tests.fakes.nvml import FakeNvml

from ratchet.clients.settings import Settings
from ratchet.sight import gpus


def told(nvml: Any) -> dict[Any, float]:
    return series(gpus.families(gpus.gather("support", nvml)))


def test_each_gpu_is_told_with_its_use_in_base_units() -> None:
    nvml = FakeNvml(num_gpus=2)

    found = told(nvml)

    of = {"line": "support", "gpu": "1", "model": "a GPU"}
    assert value(found, "ratchet_gpu_utilization_ratio", **of) == 0.37
    assert value(found, "ratchet_gpu_memory_used_bytes", **of) == 3 * 2**30
    assert value(found, "ratchet_gpu_memory_total_bytes", **of) == 80 * 2**30
    assert value(found, "ratchet_gpu_power_watts", **of) == 123.4
    assert value(found, "ratchet_gpu_power_limit_watts", **of) == 700
    assert (nvml.num_begun, nvml.num_ended) == (1, 1)


def test_what_a_gpu_does_not_know_is_left_out() -> None:
    found = told(FakeNvml(num_gpus=1, unknown={"nvmlDeviceGetUtilizationRates", "nvmlDeviceGetPowerUsage"}))

    assert value(found, "ratchet_gpu_utilization_ratio") is None
    assert value(found, "ratchet_gpu_power_watts") is None
    assert value(found, "ratchet_gpu_memory_used_bytes", gpu="0") == 3 * 2**30


@pytest.mark.parametrize("missing", ["NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded"])
def test_without_a_driver_nothing_is_told_and_nothing_is_wrong(missing: str) -> None:
    assert told(FakeNvml(fails_to_begin=missing)) == {}


@pytest.mark.parametrize("nvml", [FakeNvml(fails_to_begin="NVMLError"), FakeNvml(num_gpus=1, is_lost=True)])
def test_a_driver_that_does_not_answer_is_a_source_that_is_away(nvml: FakeNvml) -> None:
    with pytest.raises(gpus.GpuAway, match="nvidia-smi"):
        gpus.gather("support", nvml)

    assert nvml.num_begun == nvml.num_ended


def test_the_fake_has_what_is_asked_of_nvidias_own_library() -> None:
    import pynvml

    asked = {name for name in dir(FakeNvml) if name.startswith(("nvml", "NVML"))}
    assert len(asked) > 10
    assert [name for name in asked if not hasattr(pynvml, name)] == []


def test_nvidias_own_library_says_here_what_it_says_on_a_machine_like_this(tmp_path: Any) -> None:
    """With a GPU, whatever it is; without, nothing: either way no error."""
    import pynvml

    for gpu in gpus.gather(Settings(root=tmp_path).recipe, pynvml).gpus:
        assert gpu.name
        assert gpu.memory_total_bytes is None or gpu.memory_total_bytes > 0
