"""A tiny model that has learnt something, so that a good conversion of it and a bad one are told apart."""

import json
import random
from pathlib import Path

from tests.steps.models import make_tiny_model

LABELS = {
    "card_arrival": "my card has not arrived",
    "refund_request": "please refund the order",
    "change_password": "how do I change the password",
    "track_parcel": "where is my parcel",
}
WORDS = ["now", "please", "order", "two weeks", "account", "same", "I was", "again", "for this", "waiting"]


def make_trained_model(folder: Path, num_steps: int = 60) -> Path:
    """Some seconds of full training of the tiny model on `rows`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    make_tiny_model(folder, last_norm=4.0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    examples = rows(num_steps * 16, seed=1)
    for step in range(num_steps):
        batch = [_encode(tokenizer, row) for row in examples[step * 16 : (step + 1) * 16]]
        width = max(len(ids) for ids, _ in batch)
        ids_BT = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in batch])
        labels_BT = torch.tensor([labels + [-100] * (width - len(labels)) for _, labels in batch])
        model(input_ids=ids_BT, labels=labels_BT).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


def rows(num: int, seed: int) -> list[dict[str, str]]:
    """As prepare's test split: {"id", "prompt", "answer"}."""
    rng = random.Random(seed)
    made = []
    for index in range(num):
        label, text = rng.choice(list(LABELS.items()))
        around = rng.choices(WORDS, k=3)
        made.append(
            {"id": str(index), "prompt": f"Give a label: {around[0]} {text} {' '.join(around[1:])}", "answer": label}
        )
    return made


def write_rows(path: Path, num: int, seed: int = 2) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(num, seed)), "utf-8")
    return path


def _encode(tokenizer, row: dict[str, str]) -> tuple[list[int], list[int]]:  # type: ignore[no-untyped-def]
    chat = [{"role": "user", "content": row["prompt"]}]
    question = tokenizer(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)).input_ids
    answer = tokenizer(f"{row['answer']}{tokenizer.eos_token}").input_ids
    return question + answer, [-100] * len(question) + answer
