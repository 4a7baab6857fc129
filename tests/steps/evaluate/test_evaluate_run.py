"""lm-eval on a real, tiny model: the same answers as a plain generation loop, one number a sample, nothing hidden."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.steps.evaluate.conftest import put
from tests.steps.models import CHAT_TEMPLATE

from ratchet.clients.world import World
from ratchet.core.checks import Check, GatePolicy
from ratchet.core.comparison import compare
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import EvalReport, TaskReport, parse_report, sample_id
from ratchet.core.model_folder import BadModelFolder
from ratchet.core.refs import FolderRef
from ratchet.evaluate.contract import EvalTask, EvaluateInputs, EvaluateOutputs, Stopping
from ratchet.evaluate.engines import NoEngine, UnusableModel
from ratchet.evaluate.rows import BadRows
from ratchet.evaluate.run import run
from ratchet.evaluate.task_file import BadTask

NUM_ROWS, NUM_RIGHT, ANSWER_TOKENS = 40, 25, 6
QUESTIONS = [f"Give a label for: {'please ' * (number % 9)}order {number} is late" for number in range(NUM_ROWS)]
LABELS = f"""
task: labels
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
generation_kwargs: {{do_sample: false, max_gen_toks: {ANSWER_TOKENS}, until: []}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: "3"}}
"""
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


@pytest.fixture(scope="module")
def said(folder: Path) -> list[str]:
    """What the model answers, one question at a time, without lm-eval."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    answers = []
    for question in QUESTIONS:
        prompt = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).input_ids
        out = model.generate(ids, max_new_tokens=ANSWER_TOKENS, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        answers.append(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
    return answers


@pytest.fixture(scope="module")
def rows(said: list[str]) -> list[dict[str, object]]:
    """The first questions have the very answer that the model gives."""
    return [
        {"id": str(number), "prompt": question, "answer": answer if number < NUM_RIGHT else "something else"}
        for number, (question, answer) in enumerate(zip(QUESTIONS, said, strict=True))
    ]


@pytest.fixture(scope="module")
def ask(world: World, model: FolderRef, rows: list[dict[str, object]]) -> Callable[..., EvalReport]:
    """Run the step on the questions; keyword arguments are fields of the task or of the inputs."""

    def asked(max_samples: int | None = None, **fields: object) -> EvalReport:
        task = EvalTask(name="labels", config_yaml=LABELS, data=put(world, rows), max_samples=max_samples)
        inputs = EvaluateInputs.model_validate({"model": model, "tasks": (task,), "batch_size": 16, **fields})
        return EvalReport.model_validate_json(world.store.read_bytes(run(inputs, world).report))

    return asked


@pytest.fixture(scope="module")
def report(ask: Callable[..., EvalReport]) -> EvalReport:
    return ask()


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


# What is refused


def refused(
    world: World, model: FolderRef, kind: type[TerminalError], config: str, rows: list[dict[str, object]]
) -> str:
    task = EvalTask(name="labels", config_yaml=config, data=put(world, rows))
    with pytest.raises(kind) as refusal:
        run(EvaluateInputs(model=model, tasks=(task,)), world)
    return str(refusal.value)


def changed(world: World, folder: Path, target: Path, change: Callable[[Path], None]) -> FolderRef:
    copy = Path(shutil.copytree(folder, target))
    change(copy)
    return world.store.put_folder(copy)


def test_a_row_without_the_asked_field_is_refused(world, model):
    message = refused(world, model, BadRows, LABELS, [{"question": "a", "answer": "b"}])

    assert message == "task labels, row 1: expected the fields ['prompt'], got ['answer', 'question']"


def test_a_metric_that_lm_eval_does_not_know_is_refused(world, model, rows):
    message = refused(world, model, BadTask, LABELS.replace("exact_match", "exact_matches"), rows)

    assert "task labels: lm-eval has no metric 'exact_matches', did you mean 'exact_match'?" in message


def test_a_prompt_that_would_lose_its_beginning_is_refused(world, model, rows):
    long = {"prompt": "Give a label for: " + "late " * 900, "answer": "late"}

    message = refused(world, model, UnusableModel, LABELS, [*rows, long])

    assert "task labels: the prompt" in message
    assert f"the model takes {512 - ANSWER_TOKENS} and the answer" in message


def test_an_engine_that_is_not_installed_is_named(ask):
    with pytest.raises(NoEngine, match="no vllm: the recipe's eval_engine is 'vllm', which the CUDA image"):
        ask(engine="vllm")


def test_a_model_with_nan_weights_is_refused_and_not_scored_as_bad(world, folder, tmp_path, rows):
    def spoil(copy: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(copy / "model.safetensors")
        tensors["model.layers.1.mlp.up_proj.weight"][3, 5] = float("nan")
        save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})

    spoilt = changed(world, folder, tmp_path / "spoilt", spoil)

    assert "tensor model.layers.1.mlp.up_proj.weight holds NaN" in refused(world, spoilt, UnusableModel, LABELS, rows)


def test_a_truncated_or_foreign_model_is_refused_before_it_is_loaded(world, folder, tmp_path, rows):
    def truncate(copy: Path) -> None:
        weights = copy / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])

    def ask_for_code(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.Model"}}))

    truncated = changed(world, folder, tmp_path / "truncated", truncate)
    foreign = changed(world, folder, tmp_path / "foreign", ask_for_code)

    assert "is truncated" in refused(world, truncated, BadModelFolder, LABELS, rows)
    assert "auto_map" in refused(world, foreign, BadModelFolder, LABELS, rows)


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


# In looks


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


def report_of(world: World, outputs: EvaluateOutputs) -> EvalReport:
    return parse_report(world.store.read_bytes(outputs.report), "the report")


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
