"""Texts that are nearly another text: in the file and against the current version."""

import pytest
from tests.steps.validate.conftest import CLEAN, Validate, as_csv, as_jsonl, rows_of

from ratchet.validate.contract import ValidateOutputs

LONG = "I ordered a new card over a week ago and it still has not arrived at my home"


def near(outputs: ValidateOutputs) -> tuple[int, ...]:
    return next(rows_of(reason) for reason in outputs.reasons if reason.reason == "near_duplicate")


@pytest.mark.parametrize(
    ("text", "is_near"),
    [
        (LONG + "!", True),
        (LONG.upper(), True),
        (LONG.replace("week", "weeks"), True),
        (LONG.replace("arrived", "arived"), True),
        ("Hi, " + LONG, True),
        (LONG.replace("still has not arrived at my home", "came today, so please ignore my last message"), False),
        (LONG.replace("a new card over a week ago", "two cards last month"), False),
        (LONG + ", which is why I would now like to cancel the order and get my money back", False),
    ],
)
def test_a_text_is_near_another_when_four_in_five_of_their_ngrams_are_shared(
    validate: Validate, text: str, is_near: bool
) -> None:
    outputs = validate(as_csv([*CLEAN, (LONG, "card_arrival"), (text, "card_arrival")]))

    assert near(outputs) == ((32,) if is_near else ())
    assert outputs.num_accepted == 32


def test_an_equal_text_is_a_duplicate_not_a_near_one(validate: Validate) -> None:
    outputs = validate(as_csv([*CLEAN, (LONG, "card_arrival"), (LONG, "card_arrival")]))

    assert {r.reason: rows_of(r) for r in outputs.reasons if r.num_rows} == {"duplicate": (32,)}


def test_a_text_near_one_of_the_current_version_is_told_and_one_that_is_there_is_known(validate: Validate) -> None:
    current = validate(as_csv([*CLEAN, (LONG, "card_arrival")])).accepted

    outputs = validate(
        as_csv([(LONG + " :(", "card_arrival"), (LONG, "card_arrival"), ("quite another ticket", "refund")]),
        previous=current,
    )

    assert {r.reason: rows_of(r) for r in outputs.reasons if r.num_rows} == {"known": (2,), "near_duplicate": (1,)}


def test_of_many_near_texts_in_a_large_file_none_is_missed_and_no_other_is_taken(validate: Validate) -> None:
    # Each text has words of its own, so that only the planted one is near it.
    texts = [" ".join(f"{word}{n * 7919 % 10007:05}" for word in ("why", "does", "my", "order")) for n in range(3000)]
    rows = [{"text": text, "label": f"l{n % 3}"} for n, text in enumerate(texts)]
    planted = [{"text": row["text"] + " ?", "label": row["label"]} for row in rows[::10]]

    outputs = validate(as_jsonl([*rows, *planted]), "up.jsonl")

    found = next(reason for reason in outputs.reasons if reason.reason == "near_duplicate")
    assert (found.num_rows, rows_of(found)) == (300, (3001, 3002, 3003))
