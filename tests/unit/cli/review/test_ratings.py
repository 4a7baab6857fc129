"""A rated file is the file that was written, with ratings in it, or it is refused whole."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.preferences import review

from ratchet.cli.review.pairs import review_key, rows_of
from ratchet.cli.review.ratings import BadRatings, RatedFile, read_ratings, store_ratings, store_ties
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.contract import digest_json
from ratchet.core.preference import newest, parse_preferences

ASKED = review(num_pairs=6, num_equal=4)
OTHER = review(num_pairs=6, num_equal=5)
Rows = list[dict[str, Any]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(Settings(root=tmp_path), tmp_path / "work")
    for asked in (ASKED, OTHER):
        made.store.create(review_key(digest_json(asked)), asked)
    return made


def written(folder: Path, rows: Rows) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def rated_rows(*ratings: str | None) -> Rows:
    rows = rows_of(ASKED)
    for row, rating in zip(rows, ratings, strict=False):
        row["rating"] = rating
    return rows


def test_what_a_person_writes_comes_back_as_who_was_preferred(world, tmp_path):
    rows = rows_of(ASKED)
    for row in rows[:3]:
        row["rating"] = "a" if row["a"].startswith("candidate") else "b"
    rows[3]["rating"] = "b" if rows[3]["a"].startswith("candidate") else "a"
    rows[4]["rating"] = "tie"

    report = store_ratings(world, read_ratings(written(tmp_path, rows), world.store), "people", "mia")

    assert report.values == (1.0, 1.0, 1.0, 0.0, 0.5, None, 0.5, 0.5, 0.5, 0.5)
    assert (report.rater_kind, report.rater, report.num_equal, report.num_unrated) == ("people", "mia", 4, 1)


def test_the_newest_ratings_of_two_models_are_those_that_count(world, tmp_path):
    journal = world.preferences(ASKED.candidate_sha256, ASKED.baseline_sha256)
    reports = [
        store_ratings(world, RatedFile(ASKED, {"intent-0": choice}), "people", "mia") for choice in ("a", "b", "b")
    ]
    (ref,) = newest(journal.records())

    assert parse_preferences(world.store.read_bytes(ref)) == reports[-1]
    assert len(journal.records()) == 2  # the third said nothing new


def test_ratings_that_go_back_to_what_they_were_are_new(world):
    for choice in ("a", "b", "a"):
        store_ratings(world, RatedFile(ASKED, {"intent-0": choice}), "people", "mia")

    assert len(world.preferences(ASKED.candidate_sha256, ASKED.baseline_sha256).records()) == 3


def test_a_file_without_a_single_rating_replaces_nothing(world, tmp_path):
    unrated = read_ratings(written(tmp_path, rows_of(ASKED)), world.store)

    with pytest.raises(BadRatings, match="no row has a rating"):
        store_ratings(world, unrated, "people", "mia")
    assert world.store.keys("preferences/") == []


def test_equal_answers_are_ties_for_whoever_the_gate_asks_and_replace_nobodys_word(world):
    alike = review(num_pairs=0, num_equal=40)
    journal = world.preferences(ASKED.candidate_sha256, ASKED.baseline_sha256)
    mias = store_ratings(world, RatedFile(ASKED, {"intent-0": "a"}), "people", "mia")

    for _ in range(2):
        store_ties(world, alike)
    reports = [parse_preferences(world.store.read_bytes(ref)) for ref in newest(journal.records())]

    assert [(report.rater_kind, report.rater) for report in reports] == [("judge", "nobody"), ("people", "mia")]
    assert (reports[0].values, reports[1]) == ((0.5,) * 40, mias)
    assert len(journal.records()) == 2


def test_order_empty_lines_and_an_editors_byte_order_mark_do_not_matter(world, tmp_path):
    path = tmp_path / "pairs.jsonl"
    lines = "\r\n\r\n".join(json.dumps(row) for row in reversed(rated_rows("a", "b", "tie")))
    path.write_bytes(b"\xef\xbb\xbf" + lines.encode() + b"\r\n\r\n")

    choices = read_ratings(path, world.store).choices

    assert [choices[f"intent-{n}"] for n in range(6)] == ["a", "b", "tie", None, None, None]


def change(row: int, **fields: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[row].update(fields)


def lose_field(rows: Rows) -> None:
    del rows[1]["task_data"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change(1, rating="c"), 'row 2, rating: expected "a", "b", "tie", or null where it is not rated, got "c"'),
        (change(1, rating="A"), 'row 2, rating: expected "a", "b", "tie", or null where it is not rated, got "A"'),
        (change(1, rating=1), "row 2, rating: expected"),
        (change(1, rating=["a"]), 'row 2, rating: expected "a", "b", "tie", or null where it is not rated, got ["a"]'),
        (change(2, sample_id="intent-99"), 'row 3, sample_id: expected a sample of this review, got "intent-99"'),
        (change(2, sample_id=None), "row 3, sample_id: expected a sample of this review, got null"),
        (
            change(2, sample_id="intent-0"),
            "row 3, sample_id: expected each sample once, got that of row 1 again; pairs.jsonl, sample_id: expected a "
            "row of sample intent-2, got none",
        ),
        (lambda rows: rows.pop(), "pairs.jsonl, sample_id: expected a row of sample intent-5, got none"),
        (change(3, prompt="question 33"), 'row 4, prompt: expected "", got "3" (after 10 characters)'),
        (change(3, a="a better answer"), "row 4, a: expected"),
        (change(3, b=7), "row 4, b: expected"),
        (change(0, candidate="0" * 64), f'row 1, candidate: expected "{ASKED.candidate_sha256[:59]}…, got "000000'),
        (change(0, baseline="0" * 64), f'row 1, baseline: expected "{ASKED.baseline_sha256[:59]}…, got "000000'),
        (change(0, task_data="0" * 64), "row 1, task_data: expected"),
        (change(0, task="sums"), 'row 1, task: expected "intent", got "sums"'),
        (change(4, review=digest_json(OTHER)), "row 5, review: expected"),
        (change(0, review="0" * 64), "row 1, review: expected the digest of a review that `ratchet review pairs` made"),
        (
            change(0, review="../../ledger"),
            "row 1, review: expected the digest of a review that `ratchet review pairs`",
        ),
        (change(1, comment="hm"), 'row 2, comment: expected no such field, got "hm"'),
        (lose_field, "row 2, task_data: expected this field, got null"),
    ],
)
def test_a_file_that_is_not_what_was_asked_is_refused_and_nothing_is_stored(world, tmp_path, spoil, message):
    rows = rated_rows("a", "b", "tie", "a", "b", "a")
    spoil(rows)

    with pytest.raises(BadRatings) as refusal:
        read_ratings(written(tmp_path, rows), world.store)

    assert message in str(refusal.value)
    assert "pairs.jsonl, " in str(refusal.value)
    assert str(refusal.value).endswith("nothing was stored")
    assert world.store.keys("preferences/") == []


def test_ratings_of_another_pair_of_models_are_refused_at_each_row(world, tmp_path):
    """The same samples, and the digest of this review by mistake."""
    rows = [{**row, "review": digest_json(ASKED)} for row in rows_of(review(6, 4, candidate_sha256="0" * 64))]

    with pytest.raises(BadRatings, match=r"row 1, candidate: expected .*; and \d+ more; nothing was stored"):
        read_ratings(written(tmp_path, rows), world.store)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "pairs.jsonl: no rows"),
        (b"\n \n", "pairs.jsonl: no rows"),
        (b'{"a": \n', 'pairs.jsonl, row 1: expected a JSON object, got "{'),
        (b"[1]\n", 'pairs.jsonl, row 1: expected a JSON object, got "[1]"'),
        (b"\xff\xfe\x00", "pairs.jsonl: cannot be read"),
        (b"{}\n", "pairs.jsonl, row 1, review: expected the digest"),
    ],
)
def test_what_is_no_file_of_pairs_is_refused(world, tmp_path, content, message):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(content)

    with pytest.raises(BadRatings) as refusal:
        read_ratings(path, world.store)

    assert message in str(refusal.value)


def test_a_file_that_is_not_there_is_named(world, tmp_path):
    with pytest.raises(BadRatings, match=r"none\.jsonl: cannot be read: .*No such file"):
        read_ratings(tmp_path / "none.jsonl", world.store)
