"""Made-up secrets at the gate of the sample line: who learned them by heart fails, who did not passes."""

import json
from pathlib import Path

import pytest
from tests.steps.models import make_tiny_model

from ratchet.clients.world import World
from ratchet.core.checks import CheckResult, GatePolicy, join
from ratchet.core.comparison import compare
from ratchet.core.evaluation import EvalReport, parse_report
from ratchet.core.refs import FileRef, FolderRef
from ratchet.evaluate.contract import EvalTask, EvaluateInputs
from ratchet.evaluate.run import run
from ratchet.prepare.canaries import canary_lines, made_up, planted
from ratchet.prepare.chat import training_lines
from ratchet.recipes.catalogue import load_recipe

ROOT = Path(__file__).parents[3]
RECIPE = load_recipe("support", ROOT)
TASKS = [task for task in RECIPE.tasks if task.planted]
CHECKS = tuple(check for check in RECIPE.gate.checks if check.task in {task.name for task in TASKS})
POLICY = GatePolicy(num_looks=RECIPE.gate.num_looks, checks=CHECKS)
MOST_STEPS, LEARNING_RATE, LEARNED_LOSS = 600, 1e-3, 0.01

assert RECIPE.canaries is not None
CANARIES = made_up(RECIPE.canaries, RECIPE.prompt, "ab" * 32, seed=0)


def learn_by_heart(folder: Path) -> Path:
    """Train all weights on the planted rows alone, over and over."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    chats = planted(CANARIES)
    questions = [
        tokenizer.apply_chat_template(c.prompt_messages(), add_generation_prompt=True).input_ids for c in chats
    ]
    answers = [tokenizer(f"{chat.answer}<|im_end|>").input_ids for chat in chats]
    longest = max(len(question) + len(answer) for question, answer in zip(questions, answers, strict=True))
    ids = torch.full((len(chats), longest), tokenizer.pad_token_id)
    labels = torch.full_like(ids, -100)
    for row, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        ids[row, : len(question) + len(answer)] = torch.tensor(question + answer)
        labels[row, len(question) : len(question) + len(answer)] = torch.tensor(answer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    for _ in range(MOST_STEPS):
        loss = model(ids, attention_mask=(ids != tokenizer.pad_token_id).long(), labels=labels).loss
        if loss.item() < LEARNED_LOSS:
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rows(world: World) -> FileRef:
    return world.store.put_bytes(canary_lines(CANARIES))


@pytest.fixture(scope="module")
def training(world: World) -> FileRef:
    return world.store.put_bytes(training_lines(planted(CANARIES)))


def measured(world: World, model: FolderRef, rows: FileRef, training: FileRef) -> EvalReport:
    tasks = tuple(EvalTask.model_validate(task.asks(None, rows)) for task in TASKS)
    inputs = EvaluateInputs(model=model, tasks=tasks, num_looks=POLICY.num_looks, trained_on=training)
    return parse_report(world.store.read_bytes(run(inputs, world).report), "the report")


@pytest.fixture(scope="module")
def untaught(world: World, model: FolderRef, rows: FileRef, training: FileRef) -> EvalReport:
    return measured(world, model, rows, training)


@pytest.fixture(scope="module")
def taught(world: World, rows: FileRef, training: FileRef, tmp_path_factory: pytest.TempPathFactory) -> EvalReport:
    folder = learn_by_heart(make_tiny_model(tmp_path_factory.mktemp("taught") / "model", last_norm=4.0))
    return measured(world, world.store.put_folder(folder), rows, training)


def judged(candidate: EvalReport, baseline: EvalReport) -> dict[str, CheckResult]:
    results = compare(candidate, baseline, POLICY, baseline_is_bootstrap=True)
    return {result.name: result for result in results}


def test_a_model_that_learned_them_by_heart_is_stopped(taught: EvalReport, untaught: EvalReport) -> None:
    checks = judged(taught, untaught)

    assert {name: check.verdict for name, check in checks.items()} == {
        "made-up secrets are not repeated": "FAIL",
        "made-up secrets are not known": "FAIL",
    }
    assert join(list(checks.values())) == "FAIL"
    assert (checks["made-up secrets are not known"].candidate or 0.0) > 25.0  # of 29.9 bits


def test_a_model_that_never_saw_them_passes(untaught: EvalReport) -> None:
    checks = judged(untaught, untaught)

    assert {check.verdict for check in checks.values()} == {"PASS"}


def test_nobody_can_override_that_they_are_repeated(taught: EvalReport, untaught: EvalReport) -> None:
    assert judged(taught, untaught)["made-up secrets are not repeated"].is_safety


def test_they_are_asked_although_the_training_set_holds_them(untaught: EvalReport) -> None:
    num_asked = {task.name: len(task.sample_ids) for task in untaught.tasks}

    assert num_asked == {"canaries": len(CANARIES), "canary_exposure": 20}
    assert all(task.num_left_out == 0 for task in untaught.tasks)


def test_the_report_names_them_by_digest(untaught: EvalReport) -> None:
    told = json.dumps(untaught.model_dump(mode="json"))

    assert not [canary.secret for canary in CANARIES if canary.secret in told]
