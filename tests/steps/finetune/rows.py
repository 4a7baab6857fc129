"""Inputs of a fine-tune small enough for seconds: a random tiny model and a handful of learnable rows."""

import json
import random
from pathlib import Path

from tests.fakes.registry import FakeRegistry

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.refs import FileRef
from ratchet.finetune.contract import FinetuneInputs, QloraSettings

TEXTS = {
    "card_arrival": "my card has not arrived",
    "refund_request": "please refund my order",
    "change_password": "how do I change my password",
    "track_parcel": "where is my parcel now",
}
FILLERS = ["please", "thanks", "today", "hello", "since", "monday", "week", "very", "much", "again"]


def new_world(root: Path) -> World:
    """One thread: on a busy machine two wait for each other longer than they work. Tracking is away."""
    world = World(Settings(root=root, step_threads=1), root / "work" / "a-step-key")
    world.registry = FakeRegistry()
    world.registry.away = True
    return world


def inputs_for(world: World, base: Path, **method: float) -> FinetuneInputs:
    """20 steps that learn; `method` overrides single settings."""
    settings = {"num_train_epochs": 1, "batch_size": 16, "save_steps": 5, "warmup_steps": 2}
    return FinetuneInputs(
        line="support",
        base=world.store.put_folder(base),
        train=put_rows(world, 320, seed=0),
        validation=put_rows(world, 30, seed=1),
        method=QloraSettings.model_validate(settings | method),
    )


def put_rows(world: World, num_rows: int, seed: int) -> FileRef:
    rng = random.Random(seed)
    lines = []
    for _ in range(num_rows):
        label = rng.choice(sorted(TEXTS))
        text = " ".join([TEXTS[label], *rng.choices(FILLERS, k=rng.randint(1, 12))])
        prompt = [{"role": "user", "content": f"Give a label for this text: {text}"}]
        lines.append(json.dumps({"prompt": prompt, "completion": [{"role": "assistant", "content": label}]}) + "\n")
    return world.store.put_bytes("".join(lines).encode())
