"""lm-eval on a real, tiny model: the same answers as a plain generation loop, one number a sample, nothing hidden."""

import hashlib

import pytest
from tests.steps.evaluate.asked import LABELS, NUM_RIGHT, NUM_ROWS, QUESTIONS, report_of
from tests.steps.evaluate.conftest import put
from tests.steps.models import CHAT_TEMPLATE

from ratchet.core.evaluation import EvalReport, TaskReport, parse_report, sample_id
from ratchet.evaluate.contract import EvalTask, EvaluateInputs
from ratchet.evaluate.run import run

CHOICES = """
task: choices
output_type: multiple_choice
doc_to_text: prompt
doc_to_target: answer
doc_to_choice: choices
target_delimiter: ""
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
metadata: {version: "1"}
"""


def values(task: TaskReport) -> dict[str, float | None]:
    return dict(zip(task.sample_ids, task.metrics[0].values, strict=True))


def test_every_answer_is_the_one_that_a_plain_generation_loop_gives(report, rows, said):
    (task,) = report.tasks

    assert task.answer_of() == {sample_id(row): answer for row, answer in zip(rows, said, strict=True)}


def test_each_sample_has_its_own_score(report, rows):
    (task,) = report.tasks

    assert values(task) == {sample_id(row): float(number < NUM_RIGHT) for number, row in enumerate(rows)}


def test_the_report_names_all_that_must_be_equal_in_another_one(report, world, rows, model):
    from importlib.metadata import version

    (task,) = report.tasks

    assert (task.name, task.version, task.data_sha256) == ("labels", "3", put(world, rows).sha256)
    assert report.model_sha256 == model.sha256
    assert report.chat_template_sha256 == hashlib.sha256(CHAT_TEMPLATE.encode()).hexdigest()
    assert (report.plan.dtype, report.plan.batch_size, report.plan.seed) == ("float32", 16, 0)
    for package in ("lm-eval", "transformers", "torch"):
        assert f"{package} {version(package)}" in report.plan.engine
    assert report.plan.engine.endswith(" cpu")


def test_a_second_look_finds_the_same_bytes_and_prints_nothing(ask, report, capfd):
    again = ask()

    assert again == report
    assert capfd.readouterr().out == ""


def test_a_cut_asks_some_of_the_rows_and_scores_them_alike(ask, report):
    (some,) = ask(max_samples=10).tasks
    (everything,) = report.tasks

    assert len(some.sample_ids) == 10
    assert some.sample_ids == everything.sample_ids[:10]
    assert values(some).items() <= values(everything).items()


def test_progress_is_told_to_the_end(ask, monkeypatch):
    told = []
    monkeypatch.setattr("ratchet.evaluate.engines.progress", lambda **fields: told.append(fields))

    ask()

    assert [fields["step"] for fields in told] == [16, 32, 40]
    assert {fields["steps"] for fields in told} == {NUM_ROWS}


def test_scores_have_a_standard_error_and_choices_have_no_answers(world, model):
    rows = [{"prompt": QUESTIONS[number], "choices": ["late", "refund"], "answer": number % 2} for number in range(12)]
    task = EvalTask(name="choices", config_yaml=CHOICES, data=put(world, rows))

    outputs = run(EvaluateInputs(model=model, tasks=(task,)), world)

    (score,) = outputs.scores
    assert (score.task, score.metric, score.num_samples) == ("choices", "acc", 12)
    assert 0 <= score.value <= 1
    assert score.stderr == pytest.approx((score.value * (1 - score.value) / 11) ** 0.5)
    report = EvalReport.model_validate_json(world.store.read_bytes(outputs.report))
    assert report.tasks[0].answers == ()


def test_a_text_has_its_perplexity_per_word(world, model):
    config = """
task: fluency
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: text
metric_list: [{metric: word_perplexity, higher_is_better: false}, {metric: bits_per_byte, higher_is_better: false}]
metadata: {version: "1"}
"""
    data = put(world, [{"text": f"The parcel number {number} is late again today."} for number in range(6)])

    outputs = run(EvaluateInputs(model=model, tasks=(EvalTask(name="fluency", config_yaml=config, data=data),)), world)

    (task,) = parse_report(world.store.read_bytes(outputs.report), "the report").tasks
    assert [metric.name for metric in task.metrics] == ["word_perplexity", "bits_per_byte"]
    assert all(1 < value < 200 for value in task.metrics[0].values)  # nats per word, of a model of random weights
    assert not task.metrics[0].higher_is_better


def test_each_task_is_reported_under_its_own_name(world, model, rows):
    other = LABELS.replace("task: labels", "task: others")
    tasks = (
        EvalTask(name="labels", config_yaml=LABELS, data=put(world, rows[:5])),
        EvalTask(name="others", config_yaml=other, data=put(world, rows[-5:])),
    )

    outputs = run(EvaluateInputs(model=model, tasks=tasks), world)

    assert [(score.task, score.value) for score in outputs.scores] == [("labels", 1.0), ("others", 0.0)]


def test_rows_that_the_training_holds_or_nearly_asks_are_left_out_and_counted(world, model):
    held = "Where is the parcel that I ordered on Monday from your shop?"
    nearly = "I was charged twice for one sofa and want the money back"
    fresh = "Does the guarantee cover a battery that is two years old?"
    rows = [{"id": text[:5], "prompt": text, "answer": "x"} for text in (held, nearly, fresh)]
    examples = [
        {"prompt": [{"role": "user", "content": text}], "completion": []}
        for text in (held, nearly.replace("sofa", "lamp"), "Something else entirely")
    ]
    task = EvalTask(name="labels", config_yaml=LABELS, data=put(world, rows))

    outputs = run(EvaluateInputs(model=model, tasks=(task,), trained_on=put(world, examples)), world)

    (found,) = report_of(world, outputs).tasks
    assert (found.num_overlapping, found.num_near_duplicates) == (1, 1)
    assert found.sample_ids == (sample_id(rows[2]),)
