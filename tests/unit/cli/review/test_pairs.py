"""What two models answer differently becomes a file that does not say which is which."""

import json

import pytest
from tests.fakes.events import sha
from tests.unit.core.evaluations import report, task
from tests.unit.core.preferences import review

from ratchet.cli.review.pairs import draw, prompt_of, rows_of, write_pairs
from ratchet.core.contract import digest_json
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import EvalReport
from ratchet.evaluate.task_file import TaskFile, parse_task

YAML = """
task: intent
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
metadata: {version: "1"}
"""
FILE = parse_task("intent", YAML)
ROWS = {f"intent-{n}": {"id": str(n), "prompt": f"question {n}", "answer": "refund"} for n in range(6)}


def side(model: str, answers: list[str], **fields: object) -> EvalReport:
    """Its values are those of the metric: right where it says refund."""
    values = [float(answer.strip() == "refund") for answer in answers]
    made = report(task("intent", values, answers=tuple(answers), **fields))
    return made.model_copy(update={"model_sha256": sha(model)})


CANDIDATE = side("candidate", ["refund", "refund", "cancel", " refund ", "track", "x"])
BASELINE = side("baseline", ["refund", "cancel", "refund", "refund", "delay", "refund"])


def test_the_first_samples_are_drawn_and_those_that_differ_are_asked_about():
    drawn = draw(CANDIDATE, BASELINE, FILE, ROWS, 5)

    assert drawn.sample_ids == ("intent-0", "intent-1", "intent-2", "intent-3", "intent-4")
    assert [(pair.candidate, pair.baseline) for pair in drawn.pairs] == [
        ("refund", "cancel"),
        ("cancel", "refund"),
        ("track", "delay"),
    ]
    assert [pair.metric_prefers for pair in drawn.pairs] == [1.0, 0.0, None]
    assert [pair.prompt for pair in drawn.pairs] == ["question 1", "question 2", "question 4"]


def test_more_samples_than_there_are_is_all_of_them():
    assert len(draw(CANDIDATE, BASELINE, FILE, ROWS, 50).sample_ids) == 6


def test_sources_stay_with_their_samples():
    sources = ("a", "a", "b", "b", "c", "c")
    sides = (side(name, ["refund", name, "x", "x", "x", "x"], sources=sources) for name in ("candidate", "baseline"))

    assert draw(*sides, FILE, ROWS, 3).sources == ("a", "a", "b")


def test_where_lower_is_better_the_metric_prefers_the_lower_value():
    worse_when_high = [
        made.model_copy(
            update={
                "tasks": tuple(
                    each.model_copy(
                        update={
                            "metrics": tuple(m.model_copy(update={"higher_is_better": False}) for m in each.metrics)
                        }
                    )
                    for each in made.tasks
                )
            }
        )
        for made in (CANDIDATE, BASELINE)
    ]

    assert [pair.metric_prefers for pair in draw(*worse_when_high, FILE, ROWS, 3).pairs] == [0.0, 1.0]


def test_models_that_answer_alike_leave_nothing_to_ask():
    drawn = draw(CANDIDATE, BASELINE, FILE, ROWS, 1)

    assert (len(drawn.sample_ids), drawn.pairs) == (1, ())


def test_a_task_without_answers_is_refused():
    silent = [report(task("intent", [1.0, 0.0])), report(task("intent", [0.0, 0.0]))]

    with pytest.raises(TerminalError, match="task intent has no answers to prefer: name one of none"):
        draw(*silent, FILE, ROWS, 2)


def test_a_prompt_is_what_the_model_was_asked():
    templated = YAML.replace("doc_to_text: prompt", 'doc_to_text: "Question: {{prompt}}\\nAnswer:"')
    described: TaskFile = parse_task("intent", templated + 'description: "Be brief.\\n"\n')

    assert prompt_of(FILE, {"prompt": "Why {{id}}?"}) == "Why {{id}}?"
    assert prompt_of(described, {"prompt": "Why {{id}}?"}) == "Be brief.\nQuestion: Why {{id}}?\nAnswer:"


def test_a_row_binds_its_answers_and_hides_whose_they_are():
    asked = review(40)
    rows = rows_of(asked)

    assert {row["a"].split("'")[0] for row in rows} == {"candidate", "baseline"}
    for row, pair in zip(rows, asked.pairs, strict=True):
        assert {row["a"], row["b"]} == {pair.candidate, pair.baseline}
        assert (row["a"] == pair.candidate) == asked.shows_candidate_as_a(pair.sample_id)
        assert (row["sample_id"], row["prompt"], row["rating"]) == (pair.sample_id, pair.prompt, None)
        assert (row["candidate"], row["baseline"]) == (asked.candidate_sha256, asked.baseline_sha256)
        assert (row["task"], row["task_data"], row["review"]) == ("intent", asked.data_sha256, digest_json(asked))


def test_a_file_is_written_once_since_it_may_hold_ratings(tmp_path):
    path = tmp_path / "pairs.jsonl"
    write_pairs(review(3), path)

    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == rows_of(review(3))
    with pytest.raises(TerminalError, match="is there already, maybe with ratings in it"):
        write_pairs(review(3), path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TerminalError, match=r"none/pairs\.jsonl cannot be written: No such file"):
        write_pairs(review(3), tmp_path / "none" / "pairs.jsonl")
