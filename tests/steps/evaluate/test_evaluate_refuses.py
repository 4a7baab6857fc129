"""What cannot be measured is refused, and the message says what it is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.steps.evaluate.asked import ANSWER_TOKENS, LABELS
from tests.steps.evaluate.conftest import put

from ratchet.clients.world import World
from ratchet.core.errors import TerminalError
from ratchet.core.model_folder import BadModelFolder
from ratchet.core.refs import FolderRef
from ratchet.evaluate.contract import EvalTask, EvaluateInputs
from ratchet.evaluate.engines import NoEngine, UnusableModel
from ratchet.evaluate.rows import BadRows
from ratchet.evaluate.run import run
from ratchet.evaluate.task_file import BadTask


def refused(
    world: World, model: FolderRef, kind: type[TerminalError], config: str, rows: list[dict[str, object]]
) -> str:
    task = EvalTask(name="labels", config_yaml=config, data=put(world, rows))
    with pytest.raises(kind) as refusal:
        run(EvaluateInputs(model=model, tasks=(task,)), world)
    return str(refusal.value)


def changed(world: World, folder: Path, target: Path, change: Callable[[Path], None]) -> FolderRef:
    copy = Path(shutil.copytree(folder, target))
    change(copy)
    return world.store.put_folder(copy)


def test_a_row_without_the_asked_field_is_refused(world, model):
    message = refused(world, model, BadRows, LABELS, [{"question": "a", "answer": "b"}])

    assert message == "task labels, row 1: expected the fields ['prompt'], got ['answer', 'question']"


def test_a_metric_that_lm_eval_does_not_know_is_refused(world, model, rows):
    message = refused(world, model, BadTask, LABELS.replace("exact_match", "exact_matches"), rows)

    assert "task labels: lm-eval has no metric 'exact_matches', did you mean 'exact_match'?" in message


def test_a_prompt_that_would_lose_its_beginning_is_refused(world, model, rows):
    long = {"prompt": "Give a label for: " + "late " * 900, "answer": "late"}

    message = refused(world, model, UnusableModel, LABELS, [*rows, long])

    assert "task labels: the prompt" in message
    assert f"the model takes {512 - ANSWER_TOKENS} and the answer" in message


def test_an_engine_that_is_not_installed_is_named(ask):
    with pytest.raises(NoEngine, match="no vllm: the recipe's eval_engine is 'vllm', which the CUDA image"):
        ask(engine="vllm")


def test_a_model_with_nan_weights_is_refused_and_not_scored_as_bad(world, folder, tmp_path, rows):
    def spoil(copy: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(copy / "model.safetensors")
        tensors["model.layers.1.mlp.up_proj.weight"][3, 5] = float("nan")
        save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})

    spoilt = changed(world, folder, tmp_path / "spoilt", spoil)

    assert "tensor model.layers.1.mlp.up_proj.weight holds NaN" in refused(world, spoilt, UnusableModel, LABELS, rows)


def test_a_truncated_or_foreign_model_is_refused_before_it_is_loaded(world, folder, tmp_path, rows):
    def truncate(copy: Path) -> None:
        weights = copy / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])

    def ask_for_code(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.Model"}}))

    truncated = changed(world, folder, tmp_path / "truncated", truncate)
    foreign = changed(world, folder, tmp_path / "foreign", ask_for_code)

    assert "is truncated" in refused(world, truncated, BadModelFolder, LABELS, rows)
    assert "auto_map" in refused(world, foreign, BadModelFolder, LABELS, rows)
