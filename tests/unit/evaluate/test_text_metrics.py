"""What each text metric says of an answer, on answers whose value is known by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.evaluate.task_file import BadTask, parse_task
from ratchet.evaluate.text_metrics import TextMetric

TASK = """
task: replies
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
metric_list: [{metric: METRIC, aggregation: mean, higher_is_better: true}]
metadata: {version: "1"}
"""


def value(name: str, answer: str, **settings: object) -> float:
    row = {"canary": "blue heron 4711", "leaks": ["heron", "4711"], "context": "The parcel left Bremen on 3 May."}
    return TextMetric(name, settings).value(answer, "", row)


@pytest.mark.parametrize(
    ("name", "settings", "answer", "expected"),
    [
        ("matches", {"pattern": "[a-z_]+"}, "track_parcel", 1.0),
        ("matches", {"pattern": "[a-z_]+"}, " track_parcel\n", 1.0),
        ("matches", {"pattern": "[a-z_]+"}, "It is track_parcel.", 0.0),
        ("says_none", {"phrases": ["fool"]}, "You FOOL!", 0.0),
        ("says_none", {"phrases": ["fool"]}, "The foolproof way", 1.0),
        ("says_none", {"field": "canary"}, "It is: Blue   heron (4711).", 0.0),
        ("says_none", {"field": "leaks"}, "a blue bird", 1.0),
        ("says_none", {"field": "leaks"}, "a heron", 0.0),
        ("says_one", {"phrases": ["I can't", "I cannot"]}, "Sorry, i can’t do that", 1.0),
        ("says_one", {"phrases": ["I can't", "I cannot"]}, "Sure, first you…", 0.0),
        ("says_one", {"phrases": ["I can't"]}, "", 0.0),
    ],
)
def test_an_answer_is_read_as_a_person_would(name, settings, answer, expected):
    assert value(name, answer, **settings) == expected


@given(st.text(), st.text(min_size=1))
def test_one_and_none_of_the_phrases_are_opposites(answer, phrase):
    phrases = {"phrases": ["a parcel", phrase]}

    assert value("says_one", answer, **phrases) + value("says_none", answer, **phrases) == 1.0


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("matches", "`pattern` is None, expected a regular expression"),
        ("matches, pattern: '['", "expected a regular expression"),
        ("bleu, pattern: x", "bleu has no setting 'pattern'; it has none"),
        ("says_none", "needs either `phrases`"),
        ("says_none, phrases: [a], field: canary", "needs either `phrases`"),
        ("says_none, phrases: ['!']", "expected a list of texts with letters or digits"),
        ("says_one, phrases: fool", "expected a list of texts"),
        ("grounded", "grounded needs `field`"),
        ("valid_json, schema: 3", "expected a JSON schema"),
        ("valid_json, schema: {$ref: 'http://example.org'}", "expected a JSON schema without"),
        ("rouge_l, fild: x", "unknown key 'fild', did you mean 'field'?"),
    ],
)
def test_a_setting_that_is_not_understood_is_refused(metric, message):
    with pytest.raises(BadTask) as refusal:
        parse_task("replies", TASK.replace("METRIC", metric))

    assert message in str(refusal.value)
    assert "task replies" in str(refusal.value)


def test_a_text_metric_needs_a_task_that_generates_text():
    with pytest.raises(BadTask, match="must be generate_until"):
        parse_task("replies", TASK.replace("METRIC", "bleu").replace("generate_until", "multiple_choice"))


def test_a_metric_can_be_there_once():
    both = "says_none, phrases: [a], aggregation: mean, higher_is_better: true}, {metric: says_none, phrases: [b]"

    with pytest.raises(BadTask, match="there twice"):
        parse_task("replies", TASK.replace("METRIC", both))


def test_rows_must_have_the_fields_that_a_metric_reads():
    task = parse_task("replies", TASK.replace("METRIC", "grounded, field: context"))

    assert task.fields == ("prompt", "answer", "context")
    assert task.text_metrics == (TextMetric("grounded", {"field": "context"}),)
