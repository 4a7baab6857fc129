import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tests.fakes.registry import FakeRegistry
from tests.steps.finetune.rows import inputs_for, new_world
from tests.steps.models import make_tiny_model
from transformers import AutoModelForCausalLM

from ratchet.clients.registry import MetricRecord
from ratchet.clients.tracking import tell_missed_runs
from ratchet.clients.world import World
from ratchet.core.errors import TerminalError
from ratchet.core.model_folder import BadModelFolder, check_model_folder
from ratchet.core.refs import digest_folder
from ratchet.finetune import merge
from ratchet.finetune.contract import FinetuneInputs, FinetuneOutputs
from ratchet.finetune.detect import LearnedNothing
from ratchet.finetune.qlora import TrainOutOfMemory
from ratchet.finetune.run import run

WEIGHTS = "model.safetensors"


class Tuned:
    """One fine-tune, done once for this file."""

    def __init__(self, root: Path, base: Path, *, tracking_is_away: bool = False) -> None:
        self.base = base
        self.world = new_world(root)
        self.registry = FakeRegistry()
        self.registry.away = tracking_is_away
        self.world.registry = self.registry
        self.inputs = inputs_for(self.world, base)
        self.outputs: FinetuneOutputs = run(self.inputs, self.world)
        self.adapter = self.world.store.fetch_folder(self.outputs.adapter, root / "adapter")
        self.model = self.world.store.fetch_folder(self.outputs.model, root / "model")
        log = self.world.store.read_bytes(self.outputs.training_log)
        self.log = [MetricRecord(**json.loads(line)) for line in log.splitlines()]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base") / "model", hidden=128)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Tuned:
    return Tuned(tmp_path_factory.mktemp("tuned"), base)


@pytest.fixture(scope="module")
def untracked(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Tuned:
    return Tuned(tmp_path_factory.mktemp("untracked"), base, tracking_is_away=True)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path)


def test_twenty_steps_learn(tuned: Tuned) -> None:
    assert tuned.outputs.last_loss < 0.75 * tuned.outputs.first_loss
    assert tuned.outputs.validation_loss < 0.75 * tuned.outputs.first_loss
    assert tuned.outputs.num_steps == 20
    assert tuned.outputs.num_resumes == 0
    assert tuned.outputs.tokens_per_second > 0


def test_the_merged_model_is_base_plus_adapter(tuned: Tuned) -> None:
    prompt = torch.tensor([[5, 6, 7, 8, 9, 10]])
    base = AutoModelForCausalLM.from_pretrained(tuned.base)
    merged = AutoModelForCausalLM.from_pretrained(tuned.model)

    with torch.no_grad():
        difference = (PeftModel.from_pretrained(base, tuned.adapter)(prompt).logits - merged(prompt).logits).abs().max()

    assert difference < 1e-3
    assert 0.0 <= tuned.outputs.merge_max_logit_difference < 1e-3


def test_the_merged_folder_is_the_bases_but_for_the_weights(tuned: Tuned) -> None:
    names = {path.name for path in tuned.base.iterdir()}

    check_model_folder(tuned.model)
    assert {path.name for path in tuned.model.iterdir()} == names
    assert all((tuned.model / n).read_bytes() == (tuned.base / n).read_bytes() for n in names - {WEIGHTS})
    assert (tuned.model / WEIGHTS).read_bytes() != (tuned.base / WEIGHTS).read_bytes()
    assert load_file(tuned.model / WEIGHTS).keys() == load_file(tuned.base / WEIGHTS).keys()


def test_the_adapter_names_its_base_by_digest_and_no_path_of_this_machine(tuned: Tuned) -> None:
    config = json.loads((tuned.adapter / "adapter_config.json").read_bytes())

    assert config["base_model_name_or_path"] == f"sha256:{tuned.inputs.base.sha256}"
    assert sorted(path.name for path in tuned.adapter.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]


def test_all_linear_layers_are_adapted_and_counted(tuned: Tuned) -> None:
    weights = load_file(tuned.adapter / "adapter_model.safetensors")

    assert len(weights) == 2 * 2 * 7  # A and B, layers, q k v o gate up down
    assert tuned.outputs.num_trainable_parameters == sum(weight.numel() for weight in weights.values())
    assert {weight.dtype for weight in weights.values()} == {torch.float32}


def test_every_step_is_logged_once_and_mirrored_with_settings_and_digests(tuned: Tuned) -> None:
    steps = [record.step for record in tuned.log]

    assert steps == [*range(1, 21), 20]  # the last one is the validation
    assert tuned.log[-1].metrics == {"validation_loss": tuned.outputs.validation_loss}
    [mirrored] = tuned.registry.runs.values()
    assert mirrored.metrics == as_metrics(tuned.log)
    assert (mirrored.line, mirrored.key, mirrored.finished) == ("support", "a-step-key", True)
    assert mirrored.params["learning_rate"] == str(tuned.inputs.method.learning_rate)
    assert mirrored.tags["ratchet.base"] == tuned.inputs.base.sha256
    assert mirrored.tags["ratchet.train"] == tuned.inputs.train.sha256


def test_the_same_inputs_make_the_same_bytes_even_while_tracking_is_away(tuned: Tuned, untracked: Tuned) -> None:
    assert untracked.outputs.adapter.sha256 == tuned.outputs.adapter.sha256
    assert untracked.outputs.model.sha256 == tuned.outputs.model.sha256


def test_a_training_that_the_tracking_server_missed_is_told_later_and_once(untracked: Tuned) -> None:
    def told() -> None:
        tell_missed_runs(untracked.world.store, untracked.registry, "support")

    told()
    assert not untracked.registry.runs

    untracked.registry.away = False
    told()
    [mirrored] = untracked.registry.runs.values()
    assert mirrored.metrics == as_metrics(untracked.log)
    assert (mirrored.line, mirrored.key, mirrored.finished) == ("support", "a-step-key", True)

    mirrored.finished = False
    told()
    assert not mirrored.finished  # nobody opened it again


def as_metrics(records: list[MetricRecord]) -> set[tuple[str, float, int, int]]:
    return {(name, value, record.at_ms, record.step) for record in records for name, value in record.metrics.items()}


def refused(world: World, base: Path, **method: float) -> TerminalError:
    with pytest.raises(TerminalError) as error:
        run(inputs_for(world, base, **method), world)
    return error.value


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_base_with_weights_that_are_no_numbers_is_refused(
    tmp_path: Path, world: World, base: Path, value: float
) -> None:
    bad = change_weights(base, tmp_path / "bad", "model.layers.1.mlp.up_proj.weight", value)

    error = refused(world, bad)

    assert isinstance(error, merge.NonFiniteWeights)
    assert "model.layers.1.mlp.up_proj.weight" in str(error)


def test_a_base_cut_off_in_its_upload_is_refused_with_byte_counts(tmp_path: Path, world: World, base: Path) -> None:
    bad = copy(base, tmp_path / "bad")
    whole = (bad / WEIGHTS).read_bytes()
    (bad / WEIGHTS).write_bytes(whole[:-1])

    error = refused(world, bad)

    assert isinstance(error, BadModelFolder)
    assert f"expected {len(whole)} bytes, got {len(whole) - 1}" in str(error)


def test_rows_whose_answers_are_all_cut_away_are_refused(world: World, base: Path) -> None:
    error = refused(world, base, max_seq_len_tokens=16)

    assert isinstance(error, LearnedNothing)
    assert "320 of 320 rows do not fit" in str(error)


def test_a_loss_that_does_not_drop_is_refused(world: World, base: Path) -> None:
    error = refused(world, base, learning_rate=1e-9, num_train_epochs=0.2)

    assert isinstance(error, LearnedNothing)
    assert "expected at least 10.0%" in str(error)


def test_a_training_that_diverges_is_ended_at_once(world: World, base: Path) -> None:
    error = refused(world, base, learning_rate=1e38, warmup_steps=0)

    assert isinstance(error, LearnedNothing)
    assert "at step" in str(error)
    assert len((world.work / "training_log.jsonl").read_bytes().splitlines()) < 20


@pytest.mark.parametrize(
    "lack",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_a_batch_that_does_not_fit_into_memory_is_named(
    world: World, base: Path, lack: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training_step(*_: Any, **__: Any) -> None:
        raise lack

    monkeypatch.setattr("trl.SFTTrainer.training_step", training_step)

    error = refused(world, base)

    assert isinstance(error, TrainOutOfMemory)
    assert "step 1 of 20 does not fit into memory: 16 rows of up to" in str(error)
    assert str(lack) in str(error)


def test_another_error_of_torch_is_a_bug(world: World, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def training_step(*_: Any, **__: Any) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("trl.SFTTrainer.training_step", training_step)

    with pytest.raises(RuntimeError, match="shapes do not match"):
        refused(world, base)


def test_a_merge_that_changes_nothing_is_refused(tmp_path: Path, base: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter", value=0.0)

    with pytest.raises(merge.BadMerge, match="the adapter changes nothing"):
        merge.merge(base, adapter, [[5, 6, 7]], tmp_path / "merged")


def test_a_merge_with_weights_that_are_no_numbers_is_refused(tmp_path: Path, base: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter", value=math.nan)

    with pytest.raises(merge.NonFiniteWeights, match="q_proj"):
        merge.merge(base, adapter, [[5, 6, 7]], tmp_path / "merged")


@pytest.mark.parametrize(("difference", "is_refused"), [(1e-3, False), (1.01e-3, True), (math.nan, True)])
def test_a_merge_that_answers_otherwise_is_refused(tuned: Tuned, difference: float, is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(merge.BadMerge, match="differ by"):
            merge.check_merge(tuned.base, tuned.model, difference)
    else:
        merge.check_merge(tuned.base, tuned.model, difference)


def test_a_bf16_base_gives_a_bf16_model(tmp_path: Path, base: Path) -> None:
    small = tmp_path / "bf16"
    model = AutoModelForCausalLM.from_pretrained(copy(base, small), dtype=torch.bfloat16)
    model.save_pretrained(small)
    adapter = save_adapter(small, tmp_path / "adapter", value=0.5)

    difference = merge.merge(small, adapter, [[5, 6, 7]], tmp_path / "merged")

    assert difference < 1e-3
    assert {weight.dtype for weight in load_file(tmp_path / "merged" / WEIGHTS).values()} == {torch.bfloat16}


def copy(base: Path, target: Path) -> Path:
    target.mkdir()
    for path in base.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def change_weights(base: Path, target: Path, name: str, value: float) -> Path:
    weights = load_file(copy(base, target) / WEIGHTS)
    weights[name][0, 0] = value
    save_file(weights, target / WEIGHTS, metadata={"format": "pt"})
    return target


def save_adapter(base: Path, target: Path, value: float) -> Path:
    """An adapter on the query projections whose B is `value` everywhere."""
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), LoraConfig(r=4, target_modules=["q_proj"])
    )
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.constant_(parameter, value)
    model.save_pretrained(target)
    return target


def test_the_folder_digest_is_what_the_store_says(tuned: Tuned) -> None:
    assert digest_folder(tuned.model) == tuned.outputs.model.sha256


def test_inputs_keep_their_upstream_names(tuned: Tuned) -> None:
    assert FinetuneInputs.model_validate_json(tuned.inputs.model_dump_json()) == tuned.inputs
