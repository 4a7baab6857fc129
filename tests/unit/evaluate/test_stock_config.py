"""What of a stock task a task file can say, and the sentence for what it cannot."""

import pytest

from ratchet.evaluate.stock.config import (
    Shape,
    Unsupported,
    check_supported,
    chosen_filter,
    our_config,
    our_metrics,
    our_name,
)

CHOICE = {
    "output_type": "multiple_choice",
    "target_delimiter": " ",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
SAID = {"task": "t", "output_type": "generate_until", "generation_kwargs": {"until": ["\n"]}}


def process_results_mc2() -> None:
    """Stands for lm-eval's own."""


def custom_f1() -> None:
    """Stands for a metric in code."""


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"class": "/tasks/squadv2/task.SQuAD2"}, "it is written in Python (SQuAD2), not in settings"),
        ({"unsafe_code": True}, "it runs the code that a model writes"),
        ({"doc_to_image": ["image"]}, "it shows images or sounds"),
        ({"custom_dataset": "/tasks/ruler/make.rows"}, "its data are made by code for each model, not read"),
        ({"use_prompt": "promptsource:x"}, "its prompts come from promptsource"),
        ({"repeats": 64}, "it asks every question 64 times"),
        ({"gen_prefix": "{{start}}"}, "the beginning of its answers is a template"),
        (
            {"process_results": "/tasks/ifeval/utils.process_results"},
            "it is scored by code of its own, process_results;",
        ),
        ({"process_results": custom_f1}, "it is scored by code of its own, custom_f1;"),
        ({"output_type": "ranking"}, "its output type is ranking"),
    ],
)
def test_what_needs_code_or_more_than_text_is_refused_by_name(settings, why):
    with pytest.raises(Unsupported) as refusal:
        check_supported("t", {**CHOICE, **settings})

    assert str(refusal.value).startswith(f"t cannot be imported: {why}")


@pytest.mark.parametrize(
    "settings",
    [{}, {"repeats": 1}, {"gen_prefix": "The best answer is"}, {"process_results": process_results_mc2}],
)
def test_what_a_task_file_can_say_is_taken(settings):
    check_supported("t", {**CHOICE, **settings}, num_fewshot=5)


def test_examples_are_not_put_before_a_task_that_has_its_own():
    check_supported("t", {**CHOICE, "num_fewshot": 0}, num_fewshot=0)

    with pytest.raises(Unsupported, match="t takes no other examples"):
        check_supported("t", {**CHOICE, "num_fewshot": 0}, num_fewshot=5)


def test_metrics_of_all_samples_together_are_left_out_with_a_note():
    rows = [*CHOICE["metric_list"], {"metric": "f1", "aggregation": "f1"}]

    kept, note = our_metrics("t", {**CHOICE, "metric_list": rows}, {"acc": True, "f1": True})

    assert kept == CHOICE["metric_list"]
    assert note == "left out, since a task file cannot say it: f1"


@pytest.mark.parametrize(
    "row", [{"metric": "f1"}, {"metric": "acc", "hf_evaluate": True}, {"metric": "acc", "kwargs": {"average": "macro"}}]
)
def test_a_task_with_no_metric_that_can_be_said_is_refused(row):
    with pytest.raises(Unsupported, match=rf"t is scored by {row['metric']}, which takes code of its own"):
        our_metrics("t", {**CHOICE, "metric_list": [row]}, {row["metric"]: True})


FILTERS = {
    "filter_list": [
        {"name": "strict", "filter": [{"function": "regex", "regex_pattern": "#### (.*)"}, {"function": "take_first"}]},
        {"name": "by code", "filter": [{"function": custom_f1}]},
    ]
}


def test_a_tasks_first_filter_is_taken_unless_another_is_named():
    assert chosen_filter("t", FILTERS, None) == ("strict", [FILTERS["filter_list"][0]])
    assert chosen_filter("t", {}, None) == ("none", [])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("strikt", "t has no filter 'strikt', did you mean 'strict'?; it has strict, by code"),
        ("by code", "t reads answers by custom_f1, which a task file cannot do"),
    ],
)
def test_a_filter_that_is_not_there_or_is_code_is_refused(wanted, message):
    with pytest.raises(Unsupported) as refusal:
        chosen_filter("t", FILTERS, wanted)

    assert message in str(refusal.value)


def made(config: dict[str, object], shape: Shape) -> dict[str, object]:
    return our_config(
        "t", config, shape, version="1", metric_list=CHOICE["metric_list"], filter_list=[], slices=["subject"]
    )


@pytest.mark.parametrize(
    ("config", "shape", "fields"),
    [
        (CHOICE, Shape(), {"doc_to_text": "text", "doc_to_choice": "choices", "doc_to_target": "answer"}),
        (CHOICE, Shape(examples=True), {"doc_to_text": "{{shown.examples}}{{text}}"}),
        (CHOICE, Shape(system=True), {"description": "{{shown.system}}"}),
        (CHOICE, Shape(many_texts=True), {"doc_to_text": "answer", "doc_to_target": "continuation"}),
        ({**CHOICE, "target_delimiter": ""}, Shape(), {"target_delimiter": ""}),
        ({**CHOICE, "process_results": process_results_mc2}, Shape(), {"doc_to_target": "labels"}),
        (SAID, Shape(), {"doc_to_target": "answer", "generation_kwargs": {"until": ["\n"]}}),
        ({"output_type": "loglikelihood_rolling"}, Shape(), {"doc_to_text": "", "doc_to_target": "text"}),
    ],
)
def test_fields_of_the_rows_stand_where_lm_eval_has_templates_and_code(config, shape, fields):
    assert made(config, shape).items() >= fields.items()
    assert made(config, shape)["metadata"] == {"version": "1", "slices": ["subject"]}


def test_names_become_those_that_recipes_can_use():
    assert our_name("AraDiCE_boolq.lev") == "aradice_boolq_lev"
