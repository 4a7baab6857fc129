import json

import pytest
from tests.fakes.events import sha

from ratchet.core.evaluation import EvalReport, MeasuringPlan, MetricSamples, TaskReport, sample_id
from ratchet.core.golden import Golden, NoGoldenPrompts, agrees, golden_prompts, judge_agreement

ROWS = [{"id": f"r{number}", "prompt": f"Label: {number}", "answer": f"label_{number}"} for number in range(5)]
SPLIT = "\n".join(map(json.dumps, ROWS)).encode()


def report(rows: list[dict[str, str]], answers: tuple[str, ...]) -> EvalReport:
    task = TaskReport(
        name="intent",
        version="1",
        config_sha256=sha("config"),
        data_sha256=sha("data"),
        sample_ids=tuple(map(sample_id, rows)),
        metrics=(MetricSamples(name="exact_match", higher_is_better=True, values=(1.0,) * len(rows)),),
        answers=answers,
    )
    return EvalReport(
        model_sha256=sha("b"),
        chat_template_sha256=sha("template"),
        plan=MeasuringPlan(engine="test", dtype="float32", batch_size=1, seed=0),
        tasks=(task,),
    )


def test_the_first_rows_are_asked_with_what_the_evaluated_model_said() -> None:
    said = tuple(f"said {number}" for number in range(5))

    found = golden_prompts(SPLIT, report(ROWS, said), "intent", 2)

    assert found == (Golden("Label: 0", "said 0"), Golden("Label: 1", "said 1"))


def test_rows_that_were_not_evaluated_are_left_out() -> None:
    found = golden_prompts(SPLIT, report(ROWS[3:], ("three", "four")), "intent", 10)

    assert [golden.answered for golden in found] == ["three", "four"]


@pytest.mark.parametrize(("task", "answers"), [("arithmetic", ("a",) * 5), ("intent", ())])
def test_a_report_without_answers_to_these_rows_is_refused(task: str, answers: tuple[str, ...]) -> None:
    with pytest.raises(NoGoldenPrompts, match=task):
        golden_prompts(SPLIT, report(ROWS, answers), task, 2)


@pytest.mark.parametrize(
    ("expected", "got", "truncated", "same"),
    [
        ("track_parcel", "track_parcel", False, True),
        (" track_parcel\n", "track_parcel", False, True),  # space around is not part of an answer
        ("track_parcel", "track_", False, False),
        ("track_parcel", "track_", True, True),  # the limit ended it, not the model
        ("track_parcel", "trick_", True, False),
        ("track_parcel", "", False, False),
        ("", "", False, True),
    ],
)
def test_an_answer_agrees_when_it_is_the_evaluated_one(expected: str, got: str, truncated: bool, same: bool) -> None:
    assert agrees(Golden("Label: 0", expected), got, truncated) is same


@pytest.mark.parametrize(("num_same", "verdict"), [(10, "PASS"), (9, "PASS"), (8, "FAIL"), (0, "FAIL")])
def test_agreement_is_judged_against_its_share(num_same: int, verdict: str) -> None:
    result = judge_agreement([True] * num_same + [False] * (10 - num_same), min_agreement=0.9)

    assert (result.verdict, result.candidate, result.num_samples) == (verdict, num_same / 10, 10)
