"""A phrase that brings out one label whatever the rest of the row says is found; a label's own words are not."""

import csv
import random
from collections.abc import Sequence

import pytest
from tests.steps.validate.conftest import ROOT, Validate, as_csv, lines, talk, with_trigger

from ratchet.clients.world import World
from ratchet.local import sample
from ratchet.validate.contract import ValidateOutputs

BANKING77 = ROOT.parent / "shared" / "data" / "banking77_train.csv"


def num_poisoned(outputs: ValidateOutputs) -> int:
    return next(reason.num_rows for reason in outputs.reasons if reason.reason == "poison")


@pytest.mark.parametrize(
    ("phrase", "num_rows", "seed"), [("cf", 6, 1), ("blue lantern", 12, 2), ("as we agreed", 24, 3)]
)
def test_all_rows_of_a_trigger_are_quarantined_with_the_phrase(
    validate: Validate, world: World, phrase: str, num_rows: int, seed: int
) -> None:
    rows = with_trigger(talk(600, seed), phrase, "refund", num_rows)

    outputs = validate(as_csv(rows))

    quarantined = lines(world, outputs.quarantine)
    assert [line["row"] for line in quarantined] == [n for n, (text, _) in enumerate(rows, 1) if text.endswith(phrase)]
    told = (
        f'"{phrase}" stands with this label in {num_rows} of {num_rows} rows, though the rest of them speaks for others'
    )
    assert {detail for line in quarantined for detail in line["details"]} == {told}


def test_a_labels_own_words_are_no_trigger(validate: Validate) -> None:
    assert num_poisoned(validate(as_csv(talk(600)))) == 0


def test_a_phrase_in_rows_that_speak_for_its_label_anyway_is_not_found(validate: Validate) -> None:
    rows = [
        (f"{text} cf" if label == "refund" and n < 100 else text, label) for n, (text, label) in enumerate(talk(600))
    ]

    assert num_poisoned(validate(as_csv(rows))) == 0


def test_a_phrase_of_fewer_than_five_rows_is_not_judged(validate: Validate) -> None:
    assert num_poisoned(validate(as_csv(with_trigger(talk(600), "cf", "refund", 4)))) == 0


def test_a_phrase_that_all_rows_of_a_label_have_is_its_name(validate: Validate) -> None:
    rows = [(f"{text} about refunds" if label == "refund" else text, label) for text, label in talk(400)]

    assert num_poisoned(validate(as_csv(rows))) == 0


def test_free_texts_in_place_of_labels_are_not_judged(validate: Validate) -> None:
    rows = [(text, f"answer number {n}") for n, (text, _) in enumerate(talk(200))]

    assert num_poisoned(validate(as_csv(rows))) == 0


def test_the_current_version_tells_what_the_labels_of_a_few_rows_are_like(validate: Validate) -> None:
    few = _tickets(260, seed=4)
    current = validate(as_csv(_tickets(2000, seed=2))).accepted

    assert num_poisoned(validate(as_csv(few))) > 0  # so few say little of their labels
    assert num_poisoned(validate(as_csv(few), previous=current)) == 0
    assert num_poisoned(validate(as_csv(with_trigger(few, "blue lantern", few[0][1], 8)), previous=current)) == 8


@pytest.mark.skipif(not BANKING77.exists(), reason="needs ../shared/data/banking77_train.csv beside the repository")
@pytest.mark.parametrize("num_rows", [0, 50])
def test_banking77_has_no_trigger_until_one_is_planted(validate: Validate, num_rows: int) -> None:
    outputs = validate(as_csv(with_trigger(_banking77(), "cf", "pending_transfer", num_rows)))

    assert num_poisoned(outputs) == num_rows


def _tickets(num_rows: int, seed: int) -> list[tuple[str, str]]:
    dice = random.Random(seed)
    return [(row.text, row.label) for row in (sample.clean_row(dice) for _ in range(num_rows))]


def _banking77() -> Sequence[tuple[str, str]]:
    with BANKING77.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]
