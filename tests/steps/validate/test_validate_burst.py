"""A source that suddenly sends many rows of one kind is told; many rows, or rows of one kind, alone are not."""

from collections.abc import Callable, Sequence
from random import Random

import pytest
from tests.steps.validate.conftest import QUICK, Validate, as_csv, as_jsonl, rows_of, talk

from ratchet.validate.contract import ReasonCount, ValidateOutputs
from ratchet.validate.screens.burst import Sent, is_burst

Row = tuple[str, str, str]
HEADER = ("text", "label", "source")


def users(rows: Sequence[tuple[str, str]], num_users: int = 60, seed: int = 1) -> list[Row]:
    random = Random(seed)
    return [(text, label, f"user {random.randrange(num_users)}") for text, label in rows]


def burst(outputs: ValidateOutputs) -> ReasonCount:
    return next(reason for reason in outputs.reasons if reason.reason == "burst")


def one_label(row: Row, _: int) -> Row:
    return (row[0], "refund", "bot")


def one_beginning(row: Row, number: int) -> Row:
    return (f"Dear team, please open the {number} of {row[0]}", row[1], "bot")


@pytest.mark.parametrize("sent", [one_label, one_beginning])
@pytest.mark.parametrize("name", ["source", "User", "author", "origin"])
def test_one_source_that_sends_much_of_one_kind_is_told(
    validate: Validate, sent: Callable[[Row, int], Row], name: str
) -> None:
    rows = users(talk(660))
    flood = [sent(row, number) for number, row in enumerate(rows[600:])]

    outputs = validate(as_csv([*rows[:600], *flood], (*HEADER[:2], name)), rules=QUICK)

    assert (burst(outputs).num_rows, rows_of(burst(outputs))) == (60, (601, 602, 603))
    assert outputs.num_accepted == 660


def test_the_quarantine_says_how_much_and_never_who(validate: Validate) -> None:
    rules = QUICK.model_copy(update={"actions": {"burst": "quarantine"}})
    rows = users(talk(660))

    outputs = validate(
        as_jsonl(
            [dict(zip(HEADER, row, strict=True)) for row in [*rows[:600], *(one_label(r, 0) for r in rows[600:])]]
        ),
        "up.jsonl",
        rules=rules,
    )

    assert (outputs.num_quarantined, burst(outputs).num_rows) == (60, 60)
    assert "bot" not in outputs.model_dump_json()


@pytest.mark.parametrize(
    "flood",
    [
        [(text, label, "bot") for text, label in talk(60, seed=5)],  # many rows, of all kinds
        [(text, "refund", f"new user {n}") for n, (text, _) in enumerate(talk(60, seed=5))],  # one kind, of many
        [(text, "refund", "bot") for text, _ in talk(19, seed=5)],  # too few to tell
    ],
)
def test_many_rows_or_rows_of_one_kind_alone_are_no_burst(validate: Validate, flood: list[Row]) -> None:
    outputs = validate(as_csv([*users(talk(600)), *flood], HEADER), rules=QUICK)

    assert burst(outputs).num_rows == 0


def test_what_the_current_version_is_full_of_is_no_burst(validate: Validate) -> None:
    rows = users(talk(300))
    flood = [(text, "refund", "bot") for text, _ in talk(40, seed=5)]
    current = validate(as_csv([(f"{text} {n}", "refund") for n in range(400) for text, _ in talk(5, n)]), rules=QUICK)

    assert burst(validate(as_csv([*rows, *flood], HEADER), rules=QUICK)).num_rows == 40
    assert burst(validate(as_csv([*rows, *flood], HEADER), rules=QUICK, previous=current.accepted)).num_rows == 0


def test_of_few_sources_none_is_unusual(validate: Validate) -> None:
    rows = [*users(talk(100), 3), *((text, "refund", "bot") for text, _ in talk(200, seed=5))]

    assert burst(validate(as_csv(rows, HEADER), rules=QUICK)).num_rows == 0


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (Sent(20, 20, 120, 1000, 100), True),
        (Sent(20, 20, 600, 1000, 100), False),  # most rows of all have this label
        (Sent(20, 15, 120, 1000, 100), False),  # not nearly all of its rows have it
        (Sent(20, 16, 300, 1000, 1), True),
        (Sent(20, 16, 300, 1000, 10_000), False),  # among so many looks one such is to be expected
        (Sent(20, 20, 1000, 1000, 1), False),
    ],
)
def test_a_burst_is_what_chance_would_hardly_deal_to_one_source(sent: Sent, told: bool) -> None:
    assert is_burst(sent) == told
