"""Tiny models that always say the same word, so that an answer tells which of them gave it.

python -m tests.steps.serving.models FOLDER ANSWER [truncated|endless|large]      (in the serve environment)
"""

import json
import sys
from pathlib import Path

from tests.steps.models import make_tiny_model

PROMPTS = [f"Label this: ticket {number}, where is my parcel?" for number in range(24)]
NUM_STEPS = 40


def make_model(folder: Path, answer: str) -> Path:
    """Some seconds of training on `PROMPTS` with one answer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    make_tiny_model(folder, hidden=256)  # heads of 64: vLLM's attention on CPU does not take those of 16
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(NUM_STEPS):
        chat = [{"role": "user", "content": PROMPTS[step % len(PROMPTS)]}]
        question = tokenizer(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)).input_ids
        reply = tokenizer(f"{answer}{tokenizer.eos_token}").input_ids
        ids, labels = torch.tensor([question + reply]), torch.tensor([[-100] * len(question) + reply])
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


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
