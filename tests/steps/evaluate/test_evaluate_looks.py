"""Measured in looks: the same questions and answers, and an end as soon as the gate knows."""

import pytest
from tests.steps.evaluate.asked import LABELS, NUM_ROWS, report_of
from tests.steps.evaluate.conftest import put

from ratchet.clients.world import World
from ratchet.core.checks import Check, GatePolicy
from ratchet.core.comparison import compare
from ratchet.core.evaluation import sample_id
from ratchet.core.refs import FolderRef
from ratchet.evaluate.contract import EvalTask, EvaluateInputs, EvaluateOutputs, Stopping
from ratchet.evaluate.run import run

POLICY = GatePolicy(checks=(Check(name="kept", task="labels", metric="exact_match", kind="no_regression", margin=0.2),))


def in_looks(
    world: World,
    model: FolderRef,
    rows: list[dict[str, object]],
    stopping: Stopping | None = None,
    metadata: str = 'version: "3"',
) -> EvaluateOutputs:
    config = LABELS.replace('version: "3"', metadata)
    task = EvalTask(name="labels", config_yaml=config, data=put(world, rows))
    inputs = EvaluateInputs(model=model, tasks=(task,), batch_size=16, num_looks=10, stopping=stopping)
    return run(inputs, world)


@pytest.fixture(scope="module")
def baseline(world: World, model: FolderRef, rows: list[dict[str, object]]) -> EvaluateOutputs:
    return in_looks(world, model, rows)


def test_looks_ask_the_same_questions_and_change_no_answer(world, baseline, report):
    (task,), (at_once,) = report_of(world, baseline).tasks, report.tasks

    assert (baseline.num_samples, baseline.num_measured) == (NUM_ROWS, NUM_ROWS)
    assert task.sample_ids == at_once.sample_ids
    assert task.answer_of() == at_once.answer_of()
    assert report_of(world, baseline).plan.num_looks == 10


def test_the_baseline_is_measured_twice_to_tell_the_noise_of_measuring(world, baseline):
    (task,) = report_of(world, baseline).tasks

    assert task.noise == {"exact_match": 0.0}  # float32 on a processor: other batches, the same answers


def test_measuring_stops_as_soon_as_the_gate_knows(world, model, rows, baseline):
    stopping = Stopping(baseline_report=baseline.report, policy=POLICY, baseline_is_bootstrap=False)

    outputs = in_looks(world, model, rows, stopping)

    assert (outputs.num_samples, outputs.num_measured) == (NUM_ROWS, 30)
    assert [(score.value, score.num_samples) for score in outputs.scores] == [
        (score.value, score.num_samples) for score in outputs.baseline_scores
    ]
    (measured,), (whole,) = report_of(world, outputs).tasks, report_of(world, baseline).tasks
    assert measured == whole.first(30).model_copy(update={"noise": {}})
    (check,) = compare(report_of(world, outputs), report_of(world, baseline), POLICY, baseline_is_bootstrap=False)
    assert (check.verdict, check.num_samples, check.num_planned) == ("PASS", 30, NUM_ROWS)


def test_samples_carry_their_slices_and_sources(world, model, rows):
    outputs = in_looks(world, model, rows, metadata='version: "3", slices: [answer, length], source: id')
    (task,) = report_of(world, outputs).tasks
    row_of = {sample_id(row): row for row in rows}

    assert task.slices["answer"] == tuple(str(row_of[name]["answer"]) for name in task.sample_ids)
    assert set(task.slices["length"]) == {"up to 8 words", "up to 16 words"}
    assert task.sources == tuple(str(row_of[name]["id"]) for name in task.sample_ids)
