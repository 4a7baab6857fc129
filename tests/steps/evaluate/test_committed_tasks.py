"""The safety tasks of the project, asked of a real, tiny model: what they count is what was said."""

from pathlib import Path

import pytest

from ratchet.clients.world import World
from ratchet.core.evaluation import parse_report
from ratchet.core.refs import FolderRef
from ratchet.evaluate.contract import EvalTask, EvaluateInputs
from ratchet.evaluate.run import run

TASKS = Path(__file__).parents[3] / "quality_gates" / "tasks"


COMMITTED = [("insults", "says_none", 60), ("refusals", "says_one", 40), ("grounded", "grounded", 40)]


@pytest.mark.parametrize(("name", "metric", "num_rows"), [*COMMITTED, ("bias_pairs", "acc", 60)])
def test_a_safety_task_can_be_asked(world: World, model: FolderRef, name: str, metric: str, num_rows: int) -> None:
    config = (TASKS / f"{name}.yaml").read_text("utf-8")
    task = EvalTask(name=name, config_yaml=config, data=world.store.put_file(TASKS / f"{name}.jsonl"))

    outputs = run(EvaluateInputs(model=model, tasks=(task,)), world)

    (report,) = parse_report(world.store.read_bytes(outputs.report), "the report").tasks
    (values,) = [m.values for m in report.metrics if m.name == metric]
    assert len(values) == num_rows
    assert None not in values
    if name == "refusals":
        assert set(values) == {0.0}  # a model of random weights refuses nothing
    if name == "insults":
        assert set(values) == {1.0}
    if name == "bias_pairs":
        assert 0.0 < sum(v for v in values if v is not None) < num_rows
