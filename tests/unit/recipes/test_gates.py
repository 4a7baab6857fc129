"""A slip of the pen in a gate file stops before any training, and the message says what was meant."""

from pathlib import Path

import pytest

from ratchet.core.checks import Check, PreferenceCheck
from ratchet.evaluate.task_file import BadTask
from ratchet.recipes.gates import BadGate, load_gate
from ratchet.stage.contract import StageSettings

TASK = """
task: intent
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
metadata: {version: "1", slices: [answer]}
"""
TASKS = {"intent": TASK, "arithmetic": TASK.replace("intent", "arithmetic")}
ROW = '[[check]]\nname = "kept"\ntask = "intent"\nmetric = "exact_match"\nkind = "no_regression"\nmargin = 0.03\n'
PARITY = '[[check]]\nname = "bundle"\nkind = "parity"\nmetric = "next_token"\nfloor = 0.95\n'
PREFERENCE = '[[check]]\nname = "liked"\nkind = "preference"\ntask = "intent"\nrater = "people"\n'
LATENCY = '[[check]]\nname = "quick"\nkind = "latency"\nmetric = "answer_ms"\nmax_ratio = 2.0\n'
GATES = Path(__file__).parents[3] / "quality_gates"


def gate_file(folder: Path, content: str) -> Path:
    path = folder / "support.toml"
    path.write_text(content, "utf-8")
    return path


def test_a_gate_file_becomes_a_policy(tmp_path):
    policy = load_gate(gate_file(tmp_path, f"alpha = 0.01\npower = 0.9\n{ROW}"), TASKS).policy

    assert (policy.alpha, policy.power) == (0.01, 0.9)
    assert policy.checks == (
        Check(name="kept", task="intent", metric="exact_match", kind="no_regression", margin=0.03, blocks=True),
    )


def test_a_row_of_preference_becomes_a_check_of_ratings(tmp_path):
    policy = load_gate(gate_file(tmp_path, ROW + PREFERENCE + "margin = 0.1\nblocks = false\n"), TASKS).policy

    assert policy.preferences == (
        PreferenceCheck(name="liked", task="intent", rater="people", margin=0.1, blocks=False),
    )
    assert [check.name for check in policy.checks] == ["kept"]
    assert load_gate(gate_file(tmp_path, ROW + PREFERENCE), TASKS).policy.preferences[0].threshold == 0.45


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "support.toml: no checks; write at least one [[check]]"),
        ("check = 3", "support.toml: no checks"),
        ("alpha = ", "support.toml: cannot be read"),
        ("alhpa = 0.05\n" + ROW, "support.toml: unknown key 'alhpa', did you mean 'alpha'?"),
        ("alpha = 0.7\n" + ROW, "support.toml: alpha: Input should be less than 0.5 (got 0.7)"),
        (ROW + "margn = 0.1\n", "support.toml, check 1: unknown key 'margn', did you mean 'margin'?"),
        (ROW.replace("intent", "intents"), "check 1: no task 'intents', did you mean 'intent'?; the recipe has"),
        (
            ROW.replace("exact_match", "exact_macth"),
            "task intent has no metric 'exact_macth', did you mean 'exact_match'?",
        ),
        (ROW.replace("exact_match", "zzz"), "task intent has no metric 'zzz'; it has ['exact_match']"),
        (ROW.replace("no_regression", "regression"), "check 1: kind: Input should be 'floor', 'no_regression'"),
        (ROW.replace("0.03", "-0.03"), "check 1: margin: Input should be greater than or equal to 0 (got -0.03)"),
        (ROW.replace("0.03", '"3 %"'), "check 1: margin: Input should be a valid number"),
        (ROW.replace('name = "kept"\n', ""), "check 1: name: expected text, got None"),
        (ROW.replace("margin = 0.03", "floor = 0.5"), "check 1: the row: Value error, `floor` belongs to floor and"),
        (
            ROW + 'better = "lower"\n',
            "better = 'lower', but higher is better for exact_match in quality_gates/tasks/intent",
        ),
        (ROW + 'by = "anwser"\nmin_samples = 30\n', "task intent has no slicing 'anwser', did you mean 'answer'?"),
        (ROW + 'by = "answer"\n', "`by` and `min_samples` belong together"),
        (ROW.replace("no_regression", "safety") + "blocks = false\n", "a safety check always blocks"),
        (PARITY.replace("next_token", "next_tokens"), "no parity metric 'next_tokens', did you mean 'next_token'?"),
        (PARITY.replace("floor", "margin"), "support.toml, check 1: unknown key 'margin'"),
        (PARITY.replace("0.95", "95"), "floor: expected a number above 0 and below 1, got 95"),
        (LATENCY.replace("answer", "tfft"), "no latency metric 'tfft_ms', did you mean 'ttft_ms'?"),
        (LATENCY.replace("2.0", "0"), "support.toml, check 1: max_ratio: expected a number above 0, got 0"),
        (LATENCY + LATENCY.replace("quick", "swift"), "check 2: another row limits answer_ms already"),
        (ROW + ROW, "support.toml: checks share a name: ['kept']"),
        (
            ROW + PREFERENCE.replace("people", "crowd"),
            "check 2: rater: Input should be 'people' or 'judge' (got 'crowd')",
        ),
        (ROW + PREFERENCE.replace('rater = "people"\n', ""), "check 2: rater: Field required"),
        (ROW + PREFERENCE.replace("intent", "intents"), "check 2: no task 'intents', did you mean 'intent'?"),
        (ROW + PREFERENCE + "margin = 0.5\n", "check 2: margin: Input should be less than 0.5 (got 0.5)"),
        (ROW + PREFERENCE + "margin = 0\n", "check 2: margin: Input should be greater than 0 (got 0)"),
        (ROW + PREFERENCE + 'metric = "exact_match"\n', "check 2: unknown key 'metric'"),
        (ROW + PREFERENCE.replace("liked", "kept"), "support.toml: checks share a name: ['kept']"),
        (PREFERENCE, "support.toml: checks: Tuple should have at least 1 item"),
    ],
)
def test_a_gate_file_that_is_not_understood_is_refused(tmp_path, content, message):
    with pytest.raises(BadGate) as refusal:
        load_gate(gate_file(tmp_path, content), TASKS)

    assert message in str(refusal.value)


def test_latency_rows_are_limits_of_stage_each_its_own(tmp_path):
    rows = [LATENCY, LATENCY.replace("answer_ms", "ttft_ms"), LATENCY.replace("answer_ms", "inter_token_ms")]
    named = [
        row.replace("quick", f"quick {number}").replace("2.0", f"{number}.5") for number, row in enumerate(rows, 1)
    ]

    gate = load_gate(gate_file(tmp_path, ROW + "".join(named)), TASKS)

    settings = StageSettings(**gate.latency)
    assert (settings.max_latency_ratio, settings.max_ttft_ratio, settings.max_inter_token_ratio) == (1.5, 2.5, 3.5)


def test_a_gate_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadGate, match=r"support\.toml: cannot be read"):
        load_gate(tmp_path / "support.toml", TASKS)


def test_a_bad_task_file_is_refused_with_the_gate(tmp_path):
    with pytest.raises(BadTask, match="task intent: unknown key 'dataset_path'"):
        load_gate(gate_file(tmp_path, ROW), {"intent": TASK + "dataset_path: json\n"})


def test_a_task_without_answers_has_none_to_prefer(tmp_path):
    silent = {"intent": TASK.replace("generate_until", "multiple_choice")}

    with pytest.raises(BadGate, match="task intent is multiple_choice, so it has no answers to prefer"):
        load_gate(gate_file(tmp_path, ROW + PREFERENCE), silent)


def test_the_gate_of_the_sample_recipe_is_valid():
    names = ("intent", "arithmetic", "insults", "canaries", "canary_exposure")
    tasks = {name: (GATES / "tasks" / f"{name}.yaml").read_text("utf-8") for name in names}

    gate = load_gate(GATES / "support.toml", tasks)
    policy = gate.policy

    assert set(gate.parity) == {"min_top1_agreement", "min_same_answers", "max_label_accuracy_drop"}
    assert gate.latency == {"max_latency_ratio": 3.0}
    assert {check.kind for check in policy.checks} == {"floor", "improvement", "no_regression", "safety"}
    assert {check.task for check in policy.checks if check.kind == "no_regression"} == {"intent", "arithmetic"}
