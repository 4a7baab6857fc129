from pathlib import Path

import pytest
from tests.fakes.events import model, sha

from ratchet.clients.engine import LoadedModel
from ratchet.core.serving import ServingSettings
from ratchet.serving.command import Listening, command, environment

HERE = Listening("127.0.0.1", 8702, 60)


def words(device: str = "cpu", serving: ServingSettings = ServingSettings()) -> list[str]:  # noqa: B008 - frozen
    loaded = LoadedModel(release_id="b", model=model("b"), serving=serving)
    return command("support", loaded, Path("/models/b"), device, HERE)


def test_the_model_answers_to_its_line_its_release_and_its_digest() -> None:
    first = words().index("--served-model-name") + 1

    assert words()[first : first + 3] == ["support", "b", sha("b")]
    assert words()[words().index("--port") + 1] == "8702"


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
