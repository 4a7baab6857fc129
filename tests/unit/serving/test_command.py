import json
from pathlib import Path

import pytest
from tests.fakes.events import model, parts, sha

from ratchet.clients.engine import LoadedModel, to_load
from ratchet.core.serving import ServingSettings
from ratchet.serving.command import Listening, command, environment
from ratchet.serving.weights import Adapter, Weights

HERE = Listening("127.0.0.1", 8702, 60)


def words(device: str = "cpu", serving: ServingSettings = ServingSettings()) -> list[str]:  # noqa: B008 - frozen
    loaded = LoadedModel(release_id="b", model=model("b"), serving=serving)
    return command("support", loaded, Weights(Path("/models/b")), device, HERE)


def on_base(rank: int = 32) -> list[str]:
    loaded = to_load("b", model("b"), parts("b"), ServingSettings())
    adapter = Adapter(Path("/models/adapter of b"), rank, sha("base"))
    return command("support", loaded, Weights(Path("/models/base"), adapter), "cpu", HERE)


def after(option: str, line: list[str]) -> list[str]:
    """The values of one option."""
    values = line[line.index(option) + 1 :]
    return values[: next((i for i, value in enumerate(values) if value.startswith("--")), len(values))]


def test_the_model_answers_to_its_line_its_release_and_its_digest() -> None:
    first = words().index("--served-model-name") + 1

    assert words()[first : first + 3] == ["support", "b", sha("b")]
    assert words()[words().index("--port") + 1] == "8702"


def test_in_the_adapter_lane_the_adapter_has_the_releases_names_and_the_base_none_of_them() -> None:
    modules = [json.loads(module) for module in after("--lora-modules", on_base())]

    assert after("--model", on_base()) == ["/models/base"]
    assert after("--served-model-name", on_base()) == [f"base-{sha('base')}"]
    assert [module["name"] for module in modules] == ["support", "b", sha("b")]
    assert {module["path"] for module in modules} == {"/models/adapter of b"}
    assert after("--max-loras", on_base()) == ["3"]  # a name without a slot would wait for the others' answers


@pytest.mark.parametrize(("rank", "room"), [(1, "1"), (8, "8"), (9, "16"), (32, "32"), (400, "512"), (512, "512")])
def test_the_engine_gets_the_smallest_room_that_holds_the_adapter(rank: int, room: str) -> None:
    assert after("--max-lora-rank", on_base(rank)) == [room]


def test_an_engine_is_not_told_to_load_adapters_at_run_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "1")

    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in environment(tmp_path, "cpu", 1, {})


def test_a_merged_model_is_served_without_adapters() -> None:
    assert "--enable-lora" not in words()


def test_the_recipe_says_how_gpus_are_used() -> None:
    asked = ServingSettings(tensor_parallel_size=2, gpu_memory_utilization=0.85, dtype="bfloat16", max_model_len=4096)

    line = " ".join(words("cuda", asked))

    assert "--tensor-parallel-size 2 --gpu-memory-utilization 0.85" in line
    assert "--dtype bfloat16" in line
    assert "--max-model-len 4096" in line
    assert "--enforce-eager" not in line


def test_nothing_of_the_callers_environment_reaches_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    seen = environment(tmp_path, "cpu", 1, {"RATCHET_RELEASE": "b"})

    assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONDONTWRITEBYTECODE"} & set(seen)
    assert seen["HF_HUB_OFFLINE"] == "1"
    assert seen["RATCHET_RELEASE"] == "b"


def test_a_cpu_needs_no_compiler_and_a_gpu_compiles(tmp_path: Path) -> None:
    assert environment(tmp_path, "cpu", 1, {})["TORCHDYNAMO_DISABLE"] == "1"
    assert "TORCHDYNAMO_DISABLE" not in environment(tmp_path, "cuda", 1, {})


def test_on_a_cpu_the_model_runs_in_the_process_of_the_engines_core(tmp_path: Path) -> None:
    assert environment(tmp_path, "cpu", 1, {})["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
