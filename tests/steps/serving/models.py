"""Tiny models that always say the same word, so that an answer tells which of them gave it.

python -m tests.steps.serving.models FOLDER ANSWER [truncated|endless|large]      (in the serve environment)
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.steps.models import make_tiny_model

PROMPTS = [f"Label this: ticket {number}, where is my parcel?" for number in range(24)]
SURE = 0.99
MAX_STEPS = 500


def make_model(folder: Path, answer: str) -> Path:
    """Some seconds of training on `PROMPTS` with one answer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    make_tiny_model(folder, hidden=256, last_norm=4.0)  # heads of 64: vLLM's attention on CPU does not take those of 16
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    teach(model, tokenizer, answer, learning_rate=1e-3)
    model.save_pretrained(folder)
    return folder


def teach(model: Any, tokenizer: Any, answer: str, learning_rate: float) -> None:
    """Train until every token of the answer is sure for every prompt: how many steps that takes, the kernels of the
    processor decide, and after a fixed number the same code said something else on another machine.

    Raises RuntimeError when it is not after `MAX_STEPS`.
    """
    import torch

    reply = tokenizer(f"{answer}{tokenizer.eos_token}").input_ids
    questions = [question(tokenizer, prompt) for prompt in PROMPTS]
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=learning_rate)
    num_sure = 0
    model.train()
    for step in range(MAX_STEPS):
        asked = questions[step % len(questions)]
        ids, labels = torch.tensor([asked + reply]), torch.tensor([[-100] * len(asked) + reply])
        output = model(input_ids=ids, labels=labels)
        said = output.logits[0, len(asked) - 1 : -1].softmax(-1)[torch.arange(len(reply)), reply]
        num_sure = num_sure + 1 if said.min() > SURE else 0
        if num_sure == len(questions):
            return
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    raise RuntimeError(f"after {MAX_STEPS} steps the model is not sure to say {answer!r}: {said.tolist()}")


def question(tokenizer: Any, prompt: str) -> list[int]:
    chat = [{"role": "user", "content": prompt}]
    return list(tokenizer(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)).input_ids)


def cut_in_half(weights: Path) -> None:
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])


def make_endless(weights: Path) -> None:
    """A context of which the KV cache alone is several times what an engine has for it."""
    config = weights.with_name("config.json")
    fields = json.loads(config.read_bytes())
    config.write_text(json.dumps({**fields, "max_position_embeddings": 1 << 20}))


def make_untrained(folder: Path, kind: str) -> None:
    """Nobody asks what it says, so it learns nothing first."""
    weights = make_tiny_model(folder, **SIZES.get(kind, {"hidden": 256})) / "model.safetensors"
    if spoil := SPOILED.get(kind):
        spoil(weights)


SPOILED = {"truncated": cut_in_half, "endless": make_endless}
SIZES = {"large": {"hidden": 512, "layers": 48}}  # 113 million parameters

if __name__ == "__main__":
    target, answer, *kinds = sys.argv[1:]
    if kinds:
        make_untrained(Path(target), *kinds)
    else:
        make_model(Path(target), answer)
