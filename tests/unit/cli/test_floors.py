"""`--min`: a floor from the command line is a check like those of the gate file."""

import random
from pathlib import Path

import pytest
from tests.unit.core.evaluations import report, task

from ratchet.cli.floors import parse_floor, with_floors
from ratchet.core.checks import join
from ratchet.core.comparison import compare
from ratchet.core.errors import TerminalError
from ratchet.evaluate.task_file import parse_task
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.gates import load_gate

ROOT = Path(__file__).parents[3]
# As `ratchet benchmark mmlu` writes it.
MMLU = """
task: mmlu
output_type: multiple_choice
description: '{{shown.system}}'
doc_to_text: text
doc_to_choice: choices
doc_to_target: answer
metric_list:
- {metric: acc, aggregation: mean, higher_is_better: true}
- {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata: {version: '2', slices: [subject]}
"""
PILE = """
task: pile_10k
output_type: loglikelihood_rolling
doc_to_text: ''
doc_to_target: text
metric_list: [{metric: word_perplexity, higher_is_better: false}]
metadata: {version: '1'}
"""
TASKS = {"mmlu": parse_task("mmlu", MMLU), "pile_10k": parse_task("pile_10k", PILE)}
ROW = '[[check]]\nname = "knows"\ntask = "mmlu"\nmetric = "acc"\nkind = "floor"\nfloor = 0.65\n'


@pytest.mark.parametrize(("word", "metric"), [("mmlu=0.65", "acc"), ("mmlu.acc_norm=0.65", "acc_norm")])
def test_a_floor_names_a_task_and_takes_its_first_metric_unless_told(word, metric):
    check = parse_floor(word, TASKS)

    assert (check.task, check.metric, check.kind, check.floor, check.blocks) == ("mmlu", metric, "floor", 0.65, True)
    assert check.name == f"mmlu.{metric} at least 0.65"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mmlo=0.65", "--min 'mmlo=0.65': no task 'mmlo', did you mean 'mmlu'?; the recipe has mmlu, pile_10k"),
        ("mmlu.acc_nrm=0.65", "task mmlu has no metric 'acc_nrm', did you mean 'acc_norm'?; it has acc, acc_norm"),
        ("mmlu", "--min 'mmlu': expected TASK=VALUE or TASK.METRIC=VALUE, e.g. mmlu=0.65"),
        ("mmlu=65%", "expected TASK=VALUE"),
        ("mmlu=nan", "expected TASK=VALUE"),
        ("=0.65", "expected TASK=VALUE"),
        ("pile_10k=3", "less is better for word_perplexity, so that its limit is a ceiling"),
    ],
)
def test_a_floor_that_is_not_understood_is_refused_with_what_is_valid(word, message):
    with pytest.raises(TerminalError) as refusal:
        parse_floor(word, TASKS)

    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("num_right", "verdict"), [(720, "PASS"), (660, "INCONCLUSIVE"), (640, "INCONCLUSIVE"), (580, "FAIL")]
)
@pytest.mark.parametrize("wanted", ["in the gate file", "on the command line"])
def test_the_score_itself_must_be_above_the_floor_by_more_than_chance(tmp_path, num_right, verdict, wanted):
    path = tmp_path / "support.toml"
    path.write_text(ROW)
    policy = load_gate(path, {"mmlu": MMLU}).policy
    if wanted == "on the command line":
        policy = policy.model_copy(update={"checks": (parse_floor("mmlu=0.65", TASKS),)})
    right = [1.0] * num_right + [0.0] * (1000 - num_right)
    random.Random(0).shuffle(right)
    measured = report(task("mmlu", right, metric="acc"))

    results = compare(measured, measured, policy, baseline_is_bootstrap=False)

    assert join(results) == verdict


def test_floors_are_added_to_the_recipe_for_this_comparison_alone():
    recipe = load_recipe("support", ROOT)

    more = with_floors(recipe, ["intent=0.9", "arithmetic.exact_match=0.5", "intent=0.9"])

    assert more.gate.checks[: len(recipe.gate.checks)] == recipe.gate.checks
    assert [check.name for check in more.gate.checks[len(recipe.gate.checks) :]] == [
        "intent.exact_match at least 0.9",
        "arithmetic.exact_match at least 0.5",
    ]
    assert with_floors(recipe, []) is recipe
