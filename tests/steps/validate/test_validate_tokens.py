"""Rows that training would leave out are told when they are sent, in the tokens of the recipe's base."""

from pathlib import Path
from random import Random

import pytest
from tests.steps.models import CHAT_TEMPLATE
from tests.steps.prepare.conftest import make_base
from tests.steps.validate.conftest import CLEAN, QUICK, RULES, Validate, as_csv, lines, rows_of

from ratchet.clients.tokenizer import ChatTokenizer
from ratchet.clients.world import World
from ratchet.core.chat import Chat, fill
from ratchet.core.refs import FolderRef
from ratchet.prepare.contract import PrepareInputs, SplitPolicy
from ratchet.prepare.run import run as prepare
from ratchet.validate.contract import ReasonCount, ValidateOutputs

PROMPT = "Give a label for: {text}"
NUMBERS = " ".join(str(number) for number in range(2000, 2060))
ROWS = [*CLEAN, (NUMBERS, "refund"), ("why " * 20, "refund"), ("A fair question", NUMBERS)]


@pytest.fixture
def base(world: World, tmp_path: Path) -> FolderRef:
    return world.store.put_folder(make_base(tmp_path / "made", CHAT_TEMPLATE))


def tokens(outputs: ValidateOutputs) -> ReasonCount:
    return next(reason for reason in outputs.reasons if reason.reason == "tokens")


def test_rows_of_too_many_tokens_are_told_with_the_limit_and_kept(validate: Validate, base: FolderRef) -> None:
    outputs = validate(as_csv(ROWS), rules=QUICK, base=base, prompt=PROMPT, max_seq_len_tokens=128)

    assert rows_of(tokens(outputs)) == (31, 33)
    assert "up to 128 tokens of the base (max_seq_len_tokens)" in tokens(outputs).rule
    assert outputs.num_accepted == len(ROWS)


def test_a_recipe_can_quarantine_them_and_the_quarantine_says_how_many_tokens(
    validate: Validate, world: World, base: FolderRef
) -> None:
    rules = RULES.model_copy(update={"actions": {"tokens": "quarantine"}})

    outputs = validate(as_csv(ROWS), rules=rules, base=base, prompt=PROMPT, max_seq_len_tokens=128)

    quarantined = lines(world, outputs.quarantine)
    assert [(line["row"], line["reasons"]) for line in quarantined] == [(31, ["tokens"]), (33, ["tokens"])]
    assert all(int(line["details"][0].removesuffix(" tokens")) > 128 for line in quarantined)


def test_what_is_told_is_what_prepare_leaves_out(validate: Validate, world: World, base: FolderRef) -> None:
    length = {"base": base, "prompt": PROMPT, "max_seq_len_tokens": 128}
    outputs = validate(as_csv(ROWS), rules=QUICK, **length)

    made = prepare(
        PrepareInputs(
            rows=outputs.accepted,
            split=SplitPolicy(),
            replay_share=0.0,
            replay_exclude=world.store.put_bytes(b""),
            seed=1,
            **length,
        ),
        world,
    )

    assert tokens(outputs).num_rows == made.num_too_long == 2


def test_around_the_limit_no_row_is_missed(validate: Validate, world: World, base: FolderRef, tmp_path: Path) -> None:
    random = Random(1)
    rows = [("".join(random.choices("qzxjkvw0123456789#", k=30 + n)), random.choice(("no", "né"))) for n in range(90)]
    tokenizer = ChatTokenizer(world.store.fetch_folder(base, tmp_path / "base"))
    lengths = tokenizer.lengths([Chat("", fill(PROMPT, text), label) for text, label in rows])
    limit = lengths[45].tokens

    outputs = validate(as_csv(rows), rules=QUICK, base=base, prompt=PROMPT, max_seq_len_tokens=limit)

    assert tokens(outputs).num_rows == sum(length.tokens > limit for length in lengths) > 30


def test_without_a_base_no_tokens_are_counted(validate: Validate) -> None:
    assert tokens(validate(as_csv(ROWS), rules=QUICK, max_seq_len_tokens=8)).num_rows == 0
