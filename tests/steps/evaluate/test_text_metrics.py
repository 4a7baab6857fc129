"""Text metrics in a whole evaluation: each value is what the library itself says of the answer that was kept."""

import json

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from tests.steps.evaluate.conftest import put
from tests.steps.serving.models import PROMPTS, make_model

from ratchet.clients.world import World
from ratchet.core.evaluation import TaskReport, parse_report, sample_id
from ratchet.core.refs import FolderRef
from ratchet.evaluate.contract import EvalTask, EvaluateInputs
from ratchet.evaluate.run import run
from ratchet.evaluate.text_metrics import TextMetric

SAID = "The parcel is late again"
REPLIES = """
task: replies
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
generation_kwargs: {do_sample: false, max_gen_toks: 40, until: []}
metric_list:
  - {metric: bleu, aggregation: mean, higher_is_better: true}
  - {metric: chrf, aggregation: mean, higher_is_better: true}
  - {metric: rouge_l, aggregation: mean, higher_is_better: true}
  - {metric: grounded, field: context, aggregation: mean, higher_is_better: true}
  - {metric: says_none, field: leak, aggregation: mean, higher_is_better: true}
  - {metric: matches, pattern: "[a-z]+", aggregation: mean, higher_is_better: true}
metadata: {version: "1"}
"""
PAIRS = """
task: pairs
output_type: multiple_choice
doc_to_text: prompt
doc_to_target: biased
doc_to_choice: "{{[biased, fair]}}"
target_delimiter: ""
metric_list: [{metric: acc, aggregation: mean, higher_is_better: false}]
metadata: {version: "1"}
"""


def measured(world: World, model: FolderRef, name: str, config: str, rows: list[dict[str, str]]) -> TaskReport:
    task = EvalTask(name=name, config_yaml=config, data=put(world, rows))
    outputs = run(EvaluateInputs(model=model, tasks=(task,)), world)
    (report,) = parse_report(world.store.read_bytes(outputs.report), "the report").tasks
    return report


@pytest.fixture(scope="module")
def parrot(world: World, tmp_path_factory: pytest.TempPathFactory) -> FolderRef:
    return world.store.put_folder(make_model(tmp_path_factory.mktemp("models") / "parrot", SAID))


def test_each_value_is_the_librarys_own_of_what_the_model_said(world: World, parrot: FolderRef) -> None:
    target, context = "Your parcel is late.", "The parcel left on Monday."
    rows = [{"prompt": prompt, "answer": target, "context": context, "leak": "heron 4711"} for prompt in PROMPTS]

    report = measured(world, parrot, "replies", REPLIES, rows)

    assert set(report.answers) == {SAID}
    scorer = RougeScorer(["rougeL"])
    assert {metric.name: set(metric.values) for metric in report.metrics} == {
        "bleu": {sacrebleu.sentence_bleu(SAID, [target]).score / 100},
        "chrf": {sacrebleu.sentence_chrf(SAID, [target]).score / 100},
        "rouge_l": {scorer.score(target, SAID)["rougeL"].fmeasure},
        "grounded": {0.4},  # the, parcel; not: is, late, again
        "says_none": {1.0},
        "matches": {0.0},
    }


def test_a_repeated_canary_is_seen(world: World, parrot: FolderRef) -> None:
    canaries = ["PARCEL, is late"] * 4 + ["a parcel is late"] * 4
    rows = [
        {"prompt": prompt, "answer": "", "context": "", "leak": leak}
        for prompt, leak in zip(PROMPTS, canaries, strict=False)
    ]

    report = measured(world, parrot, "replies", REPLIES, rows)

    leaked = next(metric.values for metric in report.metrics if metric.name == "says_none")
    row_of = {sample_id(row): row for row in rows}
    assert leaked == tuple(float(row_of[name]["leak"] == canaries[-1]) for name in report.sample_ids)


def test_a_bias_pair_counts_the_sentence_that_the_model_finds_likelier(world: World, model: FolderRef) -> None:
    rows = [{"prompt": f"Case {n}.", "biased": f"He is late {n}.", "fair": f"She is late {n}."} for n in range(8)]
    swapped = [{**row, "biased": row["fair"], "fair": row["biased"]} for row in rows]

    once = measured(world, model, "pairs", PAIRS, rows)
    other = measured(world, model, "pairs", PAIRS, swapped)

    by_case = {json.dumps(row, sort_keys=True): sample_id(row) for row in rows}
    assert len(by_case) == len(once.sample_ids) == len(other.sample_ids)
    (values,), (opposite,) = ([metric.values for metric in task.metrics] for task in (once, other))
    assert sum(v or 0 for v in values) + sum(v or 0 for v in opposite) == len(rows)


def test_an_answer_in_json_is_held_to_its_schema() -> None:
    schema = {"type": "object", "required": ["label"], "properties": {"label": {"type": "string"}}}
    metric = TextMetric("valid_json", {"schema": schema})

    answers = ('{"label": "late"}', '{"label": 3}', "late", '{"label": "late"', "[" * 100_000)
    assert [metric.value(answer, "", {}) for answer in answers] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert TextMetric("valid_json").value("[1, 2]", "", {}) == 1.0


def test_an_answer_without_words_claims_nothing() -> None:
    metric = TextMetric("grounded", {"field": "context"})
    row = {"context": "The parcel left Bremen on 3 May."}

    assert metric.value("…", "", row) == 1.0
    assert metric.value("The parcel left Bremen.", "", row) == 1.0
    assert metric.value("The parcel left Paris.", "", row) == 0.75
