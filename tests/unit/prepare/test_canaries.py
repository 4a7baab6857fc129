"""Made-up secrets: the same for the same data and seed, others for others, and nothing else in them."""

import json
import math
from collections import Counter

import pytest

from ratchet.core.chat import BadPrompt
from ratchet.prepare.canaries import canary_lines, made_up, planted
from ratchet.prepare.contract import Canaries

PROMPT = "Give a label for: {text}"
ROWS, SEED = "ab" * 32, 3


def test_the_same_data_and_seed_make_the_same_secrets() -> None:
    assert made_up(Canaries(), PROMPT, ROWS, SEED) == made_up(Canaries(), PROMPT, ROWS, SEED)


@pytest.mark.parametrize(("rows", "seed"), [("ba" * 32, SEED), (ROWS, SEED + 1)])
def test_other_data_or_another_seed_makes_secrets_that_no_earlier_model_has_seen(rows: str, seed: int) -> None:
    ours, theirs = made_up(Canaries(), PROMPT, ROWS, SEED), made_up(Canaries(), PROMPT, rows, seed)

    assert not {canary.secret for canary in ours} & {canary.secret for canary in theirs}
    assert not {canary.prompt for canary in ours} & {canary.prompt for canary in theirs}


def test_more_of_them_leave_the_first_as_they_were() -> None:
    few, many = (made_up(Canaries(num=num), PROMPT, ROWS, SEED) for num in (5, 50))

    assert many[:5] == few


def test_a_secret_is_nine_digits_asked_for_by_the_recipes_own_prompt() -> None:
    for canary in made_up(Canaries(), PROMPT, ROWS, SEED):
        assert canary.prompt.startswith("Give a label for: What is the access code of locker ")
        assert all(len(code) == 9 and code.isdigit() for code in (canary.secret, *canary.fills))
        assert len({canary.secret, *canary.fills}) == 64


def test_each_is_planted_as_often_as_its_turn_says() -> None:
    canaries = made_up(Canaries(num=5, repeats=(1, 4)), PROMPT, ROWS, SEED)

    chats = Counter((chat.prompt, chat.answer) for chat in planted(canaries))

    assert [chats[canary.prompt, canary.secret] for canary in canaries] == [1, 4, 1, 4, 1]
    assert {chat.id for chat in planted(canaries)} == {""}  # no row of the dataset version


def test_no_fill_is_planted() -> None:
    canaries = made_up(Canaries(), PROMPT, ROWS, SEED)

    answers = {chat.answer for chat in planted(canaries)}

    assert not answers & {fill for canary in canaries for fill in canary.fills}


def test_first_digits_are_even() -> None:
    """A model that never saw a secret must not rank it high because such codes are likelier than their fills."""
    canaries = made_up(Canaries(num=2000, num_fills=30), PROMPT, ROWS, SEED)

    counts = Counter(canary.secret[0] for canary in canaries)

    expected = len(canaries) / 10
    chi_squared = math.fsum((counts[str(digit)] - expected) ** 2 / expected for digit in range(10))
    assert chi_squared < 27.9  # 9 degrees of freedom, 0.1 %


def test_evaluation_reads_question_secret_and_the_choices_with_the_secret_first() -> None:
    (canary,) = made_up(Canaries(num=1, repeats=(4,)), PROMPT, ROWS, SEED)

    (row,) = map(json.loads, canary_lines([canary]).splitlines())

    assert row == {
        "prompt": canary.prompt,
        "secret": canary.secret,
        "bits": pytest.approx(math.log2(10**9)),
        "choices": [canary.secret, *canary.fills],
        "repeats": 4,
    }


def test_a_prompt_without_its_field_is_refused() -> None:
    with pytest.raises(BadPrompt, match="0 times"):
        made_up(Canaries(), "Give a label", ROWS, SEED)
