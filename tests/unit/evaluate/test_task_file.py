"""Task files may ask given rows and nothing else."""

from pathlib import Path

import pytest

from ratchet.evaluate.task_file import BadTask, parse_task

TASKS = Path(__file__).parents[3] / "quality_gates" / "tasks"
TASK = """
task: intent
output_type: generate_until
doc_to_text: prompt
doc_to_target: "{{answer}}"
generation_kwargs: {do_sample: false, max_gen_toks: 8, until: []}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
metadata: {version: 1.2}
"""


def test_a_task_file_names_its_metrics_and_the_fields_that_rows_must_have():
    task = parse_task("intent", TASK)

    assert (task.name, task.version) == ("intent", "1.2")
    assert task.metrics == {"exact_match": True}
    assert task.fields == ("prompt",)  # the target is a template, not a field


@pytest.mark.parametrize("name", ["intent", "arithmetic"])
def test_the_committed_task_files_are_valid(name):
    task = parse_task(name, (TASKS / f"{name}.yaml").read_text("utf-8"))

    assert task.metrics["exact_match"] is True
    assert task.config["generation_kwargs"]["do_sample"] is False
    assert len(task.fields) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("task: intent", "task: intents", "the file's `task` is 'intents'; write `task: intent`"),
        ("output_type: generate_until", "", "`output_type` is None, expected text"),
        ("doc_to_text: prompt", "doc_to_txt: prompt", "unknown key 'doc_to_txt', did you mean 'doc_to_text'?"),
        ("doc_to_text: prompt", "dataset_path: json", "unknown key 'dataset_path'"),
        ("doc_to_text: prompt", "include: other.yaml", "unknown key 'include'"),
        ("doc_to_text: prompt", "doc_to_text: !function utils.ask", "not plain YAML"),
        ("doc_to_text: prompt", "doc_to_text: [", "not plain YAML"),
        ("metadata: {version: 1.2}", "", "no metadata.version"),
        ("aggregation: mean", "hf_evaluate: true", "metric_list: unknown key 'hf_evaluate'"),
        ("higher_is_better: true", "higher_is_better: yes please", "expected `metric` (text) and `higher_is_better`"),
        ("[{metric: exact_match, aggregation: mean, higher_is_better: true}]", "[]", "no metric_list"),
        ("[{metric: exact_match, aggregation: mean, higher_is_better: true}]", "[acc]", "expected `metric` (text)"),
        ("metadata: {version: 1.2}", "metadata: latest", "no metadata.version"),
        ("metadata:", "filter_list: [{name: a}, {name: b}]\nmetadata:", "2 filters"),
    ],
)
def test_a_task_file_that_is_not_understood_is_refused(old, new, message):
    assert old in TASK

    with pytest.raises(BadTask) as refusal:
        parse_task("intent", TASK.replace(old, new))

    assert message in str(refusal.value)


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "just words"])
def test_a_file_that_is_no_mapping_is_refused(content):
    with pytest.raises(BadTask, match="expected a mapping of settings"):
        parse_task("intent", content)
