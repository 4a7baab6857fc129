"""One tiny model and one store for all tests of `evaluate`, and what the model says."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.steps.evaluate.asked import ANSWER_TOKENS, LABELS, NUM_RIGHT, QUESTIONS
from tests.steps.models import make_tiny_model

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.evaluation import EvalReport
from ratchet.core.refs import FileRef, FolderRef
from ratchet.evaluate.contract import EvalTask, EvaluateInputs
from ratchet.evaluate.run import run


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("platform")
    return World(Settings(root=root), root / "work")


@pytest.fixture(scope="package")
def model(folder: Path, world: World) -> FolderRef:
    return world.store.put_folder(folder)


def put(world: World, rows: Sequence[Mapping[str, Any]]) -> FileRef:
    return world.store.put_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


@pytest.fixture(scope="package")
def said(folder: Path) -> list[str]:
    """What the model answers, one question at a time, without lm-eval."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    answers = []
    for question in QUESTIONS:
        prompt = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).input_ids
        out = model.generate(ids, max_new_tokens=ANSWER_TOKENS, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        answers.append(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
    return answers


@pytest.fixture(scope="package")
def rows(said: list[str]) -> list[dict[str, object]]:
    """The first questions have the very answer that the model gives."""
    return [
        {"id": str(number), "prompt": question, "answer": answer if number < NUM_RIGHT else "something else"}
        for number, (question, answer) in enumerate(zip(QUESTIONS, said, strict=True))
    ]


@pytest.fixture(scope="package")
def ask(world: World, model: FolderRef, rows: list[dict[str, object]]) -> Callable[..., EvalReport]:
    """Run the step on the questions; keyword arguments are fields of the task or of the inputs."""

    def asked(max_samples: int | None = None, **fields: object) -> EvalReport:
        task = EvalTask(name="labels", config_yaml=LABELS, data=put(world, rows), max_samples=max_samples)
        inputs = EvaluateInputs.model_validate({"model": model, "tasks": (task,), "batch_size": 16, **fields})
        return EvalReport.model_validate_json(world.store.read_bytes(run(inputs, world).report))

    return asked


@pytest.fixture(scope="package")
def report(ask: Callable[..., EvalReport]) -> EvalReport:
    return ask()
