"""The recipe on a real base, as far as a machine without its weights and a GPU can take it."""

import shutil
from pathlib import Path

import kubernetes_validate
import pytest

from ratchet.clients.settings import Settings, StoreSettings
from ratchet.core.errors import TerminalError
from ratchet.core.telemetry import RunTrace
from ratchet.orchestration.pods import Origin, pod
from ratchet.orchestration.runtime import Work
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe
from ratchet.rollback.contract import RollbackInputs
from ratchet.steps import STEPS

ROOT = Path(__file__).parents[3]
POLICIES = ("expectations", "quality_gates", "containers")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The project with one row in place of each public benchmark."""
    for name in POLICIES:
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("gsm8k", "arc_challenge"):
        (tmp_path / "quality_gates" / "tasks" / f"{name}.jsonl").write_text("{}\n")
    return tmp_path


@pytest.fixture
def recipe(root: Path) -> Recipe:
    return load_recipe("support_qwen3", root)


def test_without_the_public_data_it_says_what_is_missing_and_where_help_is() -> None:
    with pytest.raises(TerminalError, match=r"gsm8k\.jsonl.*gsm8k\.yaml has the command.*docs/gate\.md"):
        load_recipe("support_qwen3", ROOT)


def test_every_step_of_it_is_a_valid_pod_with_its_gpu_and_queue(root: Path, recipe: Recipe) -> None:
    store = StoreSettings(kind="s3", bucket="b")
    settings = Settings(root=root, runtime="kubernetes", tracking_uri="http://m", store=store, device="cuda")
    inputs = RollbackInputs(line="support_qwen3", by="mia", reason="")
    for name, step in STEPS.items():
        work = Work(step, inputs, "a" * 64, run_id="r", attempt="1", trace=RunTrace.of("release_support", "r"))
        made = pod(work, recipe.pod_of(name), settings, Origin(recipe.line, "release", name))

        kubernetes_validate.validate(made, "1.34", strict=True)
        on_gpu = name in ("finetune", "evaluate", "drift")
        (container,) = made["spec"]["containers"]
        assert ("nvidia.com/gpu" in container["resources"]["limits"]) is on_gpu
        assert ("kueue.x-k8s.io/queue-name" in made["metadata"]["labels"]) is on_gpu
        assert container["image"].endswith("-cuda")


def test_its_gates_are_on_its_own_data_on_stock_tasks_and_on_safety(recipe: Recipe) -> None:
    safety = {"insults", "refusals", "grounded", "bias_pairs"}
    assert {check.task for check in recipe.gate.checks} == {"intent", "gsm8k", "arc_challenge", *safety}


def test_it_is_measured_in_the_precision_that_users_get(recipe: Recipe) -> None:
    assert recipe.serving.dtype == "bfloat16"
    assert recipe.method.batch_size % (recipe.method.micro_batch_size or 1) == 0


def test_images_without_a_gpu_keep_their_one_lock(root: Path) -> None:
    settings = Settings(root=root, device="cuda")

    assert {image: settings.lock(image).name for image in ("train", "evaluate", "serve", "ops", "data")} == {
        **dict.fromkeys(("train", "evaluate", "serve"), "requirements.cuda.txt"),
        **dict.fromkeys(("ops", "data"), "requirements.cpu.txt"),
    }
