import csv
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from ratchet.local.sample import NUM_ROWS, SEED, clean_row, generate, rows
from ratchet.local.sample_phrases import INTENTS

PERSONAL = re.compile(r"@example\.com|\+1 202 555 01|Mill Lane|Card 4000")


@pytest.fixture(scope="module")
def tickets():
    return rows(SEED, NUM_ROWS)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path):
    generate(tmp_path / "one.csv")
    generate(tmp_path / "again.csv")
    generate(tmp_path / "other.csv", seed=SEED + 1)

    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
    assert (tmp_path / "one.csv").read_bytes() != (tmp_path / "other.csv").read_bytes()


def test_the_file_reads_back_as_the_rows_line_breaks_included(tmp_path: Path):
    generate(tmp_path / "sample.csv", seed=3, num_rows=500)

    with (tmp_path / "sample.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [(row["text"], row["label"], row["quality_score"]) for row in read] == [
        (row.text, row.label, row.quality_score) for row in rows(3, 500)
    ]
    assert any("\n" in row["text"] for row in read)


@pytest.mark.parametrize("num_rows", [1, 20, 300])
def test_there_are_as_many_rows_as_asked_for(num_rows):
    assert len(rows(SEED, num_rows)) == num_rows


def test_every_intent_has_a_fair_share_of_the_rows(tickets):
    counts = Counter(row.label for row in tickets)

    assert set(counts) == set(INTENTS)
    assert min(counts.values()) >= 100


@pytest.mark.parametrize(
    ("kind", "is_dirty", "at_least", "at_most"),
    [
        ("without text", lambda row: not row.text.strip(), 10, 40),
        ("too short", lambda row: 0 < len(row.text.strip()) < 10, 8, 40),
        ("too long", lambda row: len(row.text) > 4096, 5, 15),
        ("score out of range", lambda row: not 0.6 <= float(row.quality_score) <= 1.0, 15, 60),
        ("personal data", lambda row: PERSONAL.search(row.text), 100, 200),
        ("unusual characters", lambda row: not row.text.replace("€", "").isascii(), 80, 200),
        ("line breaks", lambda row: "\n" in row.text.strip(), 80, 200),
    ],
)
def test_each_kind_of_dirt_is_there_but_is_the_exception(tickets, kind, is_dirty, at_least, at_most):
    assert at_least <= sum(bool(is_dirty(row)) for row in tickets) <= at_most


def test_tickets_are_repeated_exactly_and_nearly(tickets):
    long_enough = [row.text for row in tickets if len(row.text) >= 40]
    exactly = len(long_enough) - len(set(long_enough))
    normal = {" ".join(text.lower().split()).removeprefix("again: ").rstrip("!") for text in long_enough}
    nearly = len(set(long_enough)) - len(normal)

    assert exactly >= 40
    assert nearly >= 60


def test_some_labels_are_wrong_but_no_more_than_few(tickets):
    labels_by_text: dict[str, set[str]] = {}
    for row in rows(SEED, 20_000):
        labels_by_text.setdefault(row.text.strip().lower(), set()).add(row.label)

    conflicting = sum(len(labels) > 1 for text, labels in labels_by_text.items() if len(text) > 20)
    assert 0 < conflicting < 0.02 * len(labels_by_text)


def test_every_phrase_fills_all_its_choices_and_slots():
    rng = random.Random(1)
    for _ in range(5000):
        text = clean_row(rng).text

        assert not re.search(r"[\[\]{}|#]", text), text
        assert 10 <= len(text) <= 400
