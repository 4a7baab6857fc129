"""What raters are asked and what they said: blinded, complete, and the same each time."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from tests.fakes.events import sha
from tests.unit.core.preferences import judged, rated, review

from ratchet.core.preference import BadPreferences, Rated, newest, parse_preferences
from ratchet.core.refs import FileRef, blob_uri


def test_each_side_is_a_about_as_often_and_the_same_each_time():
    asked = review(1000)
    sides = [asked.shows_candidate_as_a(sample) for sample in asked.sample_ids]

    assert 450 < sum(sides) < 550
    assert [review(1000).shows_candidate_as_a(sample) for sample in asked.sample_ids] == sides


def test_the_letters_of_one_pair_of_models_say_nothing_of_anothers():
    one, other = review(1000), review(1000, candidate_sha256=sha("another"))
    same = [one.shows_candidate_as_a(s) == other.shows_candidate_as_a(s) for s in one.sample_ids]

    assert 450 < sum(same) < 550


def test_a_choice_of_a_letter_is_a_choice_of_the_model_behind_it():
    asked = review(40)
    for sample in asked.sample_ids:
        mine, other = ("a", "b") if asked.shows_candidate_as_a(sample) else ("b", "a")

        assert [asked.value(sample, choice) for choice in (mine, other, "tie")] == [1.0, 0.0, 0.5]


def test_equal_answers_are_ties_and_what_is_not_rated_stays_open():
    asked = review(num_pairs=2, num_equal=3)

    assert asked.values({"intent-0": "tie"}) == (0.5, None, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"values": (1.0, 0.5)}, "4 samples, 2 values"),
        ({"values": (1.0, 0.5, 0.0, 0.7)}, "a value is 0.7, expected 1, 0.5, 0 or null"),
        ({"sources": ("ticket",)}, "4 samples, 4 values and 1 sources"),
        ({"judge": judged(1, 0, 4).judge}, "only a judge's report says what the judge was asked"),
        ({"rater": ""}, "at least 1 character"),
    ],
)
def test_a_report_that_does_not_hold_together_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        rated(2, 1, 4, **fields)


def test_what_is_no_report_is_told_by_its_field():
    content = rated(2, 1, 4).canonical_json().replace(b'"rater":"mia"', b'"rater":7')

    with pytest.raises(BadPreferences, match="no preference report: rater: Input should be a valid string"):
        parse_preferences(content)


def record(task: str, kind: str, content: str) -> Rated:
    ref = FileRef(uri=blob_uri(sha(content)), sha256=sha(content), bytes=1)
    at = datetime(2026, 1, 5, tzinfo=UTC)
    return Rated.model_validate(
        {"task": task, "rater_kind": kind, "rater": "mia", "report": ref, "at": at, "by": "mia"}
    )


def test_of_each_task_and_kind_of_rater_the_newest_report_counts():
    records = [
        record("intent", "people", "first"),
        record("intent", "judge", "judge's"),
        record("intent", "people", "second"),
        record("sums", "people", "of sums"),
    ]

    assert [ref.sha256 for ref in newest(records)] == [sha("judge's"), sha("second"), sha("of sums")]
    assert newest([]) == ()
