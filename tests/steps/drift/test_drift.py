"""drift as a step: a real model's states, real samples; nothing of what users wrote is put out."""

import json
import random
from datetime import date
from pathlib import Path

import pytest
from tests.steps.models import make_tiny_model

from ratchet.clients.captured import digest_of, exchanges
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.drift import EMBEDDING
from ratchet.core.model_folder import BadModelFolder
from ratchet.core.refs import FileRef, FolderRef
from ratchet.drift.contract import Captured, DriftInputs, DriftOutputs, DriftSettings
from ratchet.drift.embed import embeddings
from ratchet.drift.run import CaptureChanged, TooFewTexts, run

PROMPT = "Give a label for: {text}"
CARDS = ["card", "bank", "money", "transfer", "top up", "fee", "cash", "pin", "stolen", "refund"]
SUMS = ["12 + 7", "x = 9", "(3 * 4)", "8 / 2", "30 - 4", "sqrt 16", "2 ** 5", "11 % 3", "7 < 9", "1e5"]
DAY = date(2026, 1, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


@pytest.fixture
def base(world: World, folder: Path) -> FolderRef:
    return world.store.put_folder(folder)


def texts(words: list[str], num: int, seed: int) -> list[str]:
    dice = random.Random(seed)
    return [" ".join(dice.choices(words, k=6)) for _ in range(num)]


def put(world: World, told: list[str]) -> FileRef:
    rows = ({"id": str(n), "text": text, "label": "card_issue"} for n, text in enumerate(told))
    return world.store.put_bytes("".join(json.dumps(row) + "\n" for row in rows).encode())


def asked(world: World, told: list[str], answer: str = "card_issue") -> Captured:
    """What users sent, as the edge keeps it, half of them with the line's prompt around it."""
    world.settings.capture_dir.mkdir(parents=True)
    said = [PROMPT.replace("{text}", text) if n % 2 else text for n, text in enumerate(told)]
    records = ({"prompt": [{"role": "user", "content": text}], "answer": [answer]} for text in said)
    path = world.settings.capture_dir / f"{DAY}-blue.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    digest = digest_of(exchanges(world.settings.capture_dir, DAY, DAY))
    return Captured(first_day=DAY, last_day=DAY, sha256=digest)


def compare(world: World, base: FolderRef, current: FileRef | Captured, **fields: object) -> DriftOutputs:
    reference = put(world, texts(CARDS, 150, seed=1))
    given = {"reference": reference, "prompt": PROMPT, "settings": DriftSettings(), "seed": 0, **fields}
    return run(DriftInputs.model_validate({**given, "current": current, "base": base}), world)


def test_rows_of_another_world_have_drifted(world: World, base: FolderRef) -> None:
    found = compare(world, base, put(world, texts(SUMS, 100, seed=2)))

    assert found.embedding.drifted
    assert (found.num_current, found.num_reference, found.shifts) == (100, 150, ())


def test_more_of_the_same_has_not_drifted_and_the_same_question_has_the_same_answer(
    world: World, base: FolderRef
) -> None:
    same = put(world, texts(CARDS, 100, seed=3))

    found = compare(world, base, same)

    assert not found.embedding.drifted
    assert compare(world, base, same) == found


def test_what_is_usual_is_not_told(world: World, base: FolderRef) -> None:
    other = put(world, texts(SUMS, 100, seed=2))
    distance = compare(world, base, other).embedding.distance

    assert not compare(world, base, other, usual={EMBEDDING: (distance, distance * 1.1) * 3}).embedding.drifted


def test_what_users_send_is_compared_without_the_prompt_around_it(world: World, base: FolderRef) -> None:
    found = compare(world, base, asked(world, texts(CARDS, 120, seed=4)))

    assert not found.embedding.drifted
    assert [shift.feature for shift in found.shifts if shift.drifted] == []
    assert [shift.feature for shift in found.shifts] == ["length", "label", "words"]


def test_other_questions_of_users_are_told_without_a_word_that_only_they_use(world: World, base: FolderRef) -> None:
    found = compare(world, base, asked(world, texts(["noor", "zebra", "card"], 120, seed=5), answer="a whole sentence"))

    assert found.embedding.drifted
    assert [shift.feature for shift in found.shifts if shift.drifted] == ["length", "words"]
    assert "card" in found.model_dump_json()
    assert "noor" not in found.model_dump_json()
    assert "sentence" not in found.model_dump_json()


def test_nothing_of_what_users_ask_comes_into_the_store(world: World, base: FolderRef) -> None:
    compare(world, base, asked(world, texts(["noor", "card"], 120, seed=5)))

    kept = [path for path in (world.settings.state / "store").rglob("*") if path.is_file()]
    assert kept
    assert not any(b"noor" in path.read_bytes() for path in kept)


def test_what_was_erased_in_between_is_not_looked_at(world: World, base: FolderRef) -> None:
    current = asked(world, texts(CARDS, 120, seed=4))
    (world.settings.capture_dir / f"{DAY}-blue.jsonl").unlink()

    with pytest.raises(CaptureChanged, match="start the DAG's run anew") as changed:
        compare(world, base, current)

    assert changed.value.exit_code == 65


def test_one_text_counts_once_and_a_handful_says_nothing(world: World, base: FolderRef) -> None:
    with pytest.raises(TooFewTexts, match="1 different texts against 150: expected at least 50"):
        compare(world, base, put(world, ["the same again and again"] * 200))


def test_a_base_that_would_run_code_is_refused(world: World, base: FolderRef, folder: Path, tmp_path: Path) -> None:
    other = world.store.fetch_folder(base, tmp_path / "other")
    (other / "weights.bin").write_bytes(b"pickle")

    with pytest.raises(BadModelFolder, match="pickled files are refused"):
        compare(world, world.store.put_folder(other), put(world, texts(CARDS, 100, seed=3)))


def test_a_text_has_the_same_embedding_whatever_it_shares_its_batch_with(folder: Path) -> None:
    import torch

    several = [*texts(CARDS, 20, seed=6), "a", "x" * 300]

    together = embeddings(folder, several, device="cpu", max_tokens=64)

    for at in (0, 20, 21):
        alone = embeddings(folder, [several[at]], device="cpu", max_tokens=64)
        assert torch.allclose(together[at], alone[0], atol=1e-5)
