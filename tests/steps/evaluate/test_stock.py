"""lm-eval's own tasks, on made-up data of the public shape: imported, they are asked and scored as by lm-eval."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.steps.evaluate import hub
from tests.steps.models import make_tiny_model

from ratchet.core.errors import EXIT_DONE, EXIT_TERMINAL
from ratchet.evaluate.engines import UnusableModel
from ratchet.evaluate.harness import LoadedModel, load
from ratchet.evaluate.rows import Row, read_rows
from ratchet.evaluate.stock.config import Unsupported
from ratchet.evaluate.stock.files import AlreadyThere
from ratchet.evaluate.stock.hub import HubAway, revision_of
from ratchet.evaluate.stock.importer import Request, import_task, task_manager
from ratchet.evaluate.task_file import TaskFile, parse_task

COMMITTED = Path(__file__).parents[3] / "quality_gates" / "tasks"
FEWSHOT = {"gsm8k": 3, "mmlu": 2, "winogrande": 2}  # the others are asked as their own files say
LIMIT = 4
Record = dict[str, Any]


def subjects() -> list[str]:
    import lm_eval.tasks

    folder = Path(lm_eval.tasks.__file__).parent / "mmlu" / "default"
    return [path.stem.removeprefix("mmlu_") for path in folder.glob("mmlu_*.yaml")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    hub.write_mmlu(folder, subjects())
    for write in (
        hub.write_hellaswag,
        hub.write_gsm8k,
        hub.write_arc,
        hub.write_truthful_qa,
        hub.write_winogrande,
        hub.write_lambada,
        hub.write_pile,
    ):
        write(folder)
    return folder


@pytest.fixture(autouse=True)
def offline(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.chdir(data)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", max_position_embeddings=4096)
    return load(folder, [], engine="transformers", device="cpu", dtype="float32", batch_size=16, seed=0)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = make_tiny_model(tmp_path_factory.mktemp("models") / "small")
    return load(folder, [], engine="transformers", device="cpu", dtype="float32", batch_size=4, seed=0)


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., tuple[TaskFile, list[Row]]]:
    """What `evaluate` reads of a stock task that was imported with these options."""

    def bring(name: str, **options: Any) -> tuple[TaskFile, list[Row]]:
        import_task(Request(name, tmp_path, **options))
        task = parse_task(name, (tmp_path / f"{name}.yaml").read_text("utf-8"))
        return task, read_rows(tmp_path / f"{name}.jsonl", task)

    return bring


def asked_by_lm_eval(model: LoadedModel, name: str, filter_name: str) -> dict[str, Record]:
    """By lm-eval's own front door: a document's name → its record."""
    import lm_eval

    results = lm_eval.simple_evaluate(
        model.lm,
        tasks=[name],
        task_manager=task_manager(),
        num_fewshot=FEWSHOT.get(name),
        limit=LIMIT,
        apply_chat_template=True,
        fewshot_as_multiturn=False,
        bootstrap_iters=0,
    )
    return {
        f"{task}/{record['doc_id']}": record
        for task, records in results["samples"].items()
        for record in records
        if record["filter"] == filter_name
    }


@pytest.mark.parametrize(
    ("name", "metrics", "filter_name"),
    [
        ("hellaswag", {"acc": "acc", "acc_norm": "acc_norm"}, "none"),
        ("arc_challenge", {"acc": "acc", "acc_norm": "acc_norm"}, "none"),
        ("gsm8k", {"exact_match": "exact_match"}, "strict-match"),
        ("mmlu", {"acc": "acc"}, "none"),
        ("truthfulqa_mc2", {"mc2": "acc"}, "none"),
        ("winogrande", {"acc": "acc"}, "none"),
        ("lambada_openai", {"perplexity": "perplexity", "acc": "acc"}, "none"),
        ("pile_10k", dict.fromkeys(["word_perplexity", "byte_perplexity", "bits_per_byte"]), "none"),
    ],
)
def test_every_sample_is_asked_and_scored_as_by_lm_eval_itself(model, imported, name, metrics, filter_name):
    task, rows = imported(name, num_fewshot=FEWSHOT.get(name), limit=LIMIT)
    theirs = asked_by_lm_eval(model, name, filter_name)

    ours = {row["id"]: record for row, record in zip(rows, model.ask([(task, rows)])[name], strict=True)}

    assert list(task.metrics) == list(metrics)
    assert ours.keys() == theirs.keys()
    for sample, record in ours.items():
        assert record["arguments"] == theirs[sample]["arguments"]
        assert answers(record) == answers(theirs[sample])
        for metric, stock in metrics.items():
            assert record[metric] == pytest.approx(theirs[sample][stock or metric], rel=1e-4)


def answers(record: Record) -> list[Any]:
    """Texts as they are, log-likelihoods as numbers that other batches may move by a hair."""
    given = [answer[0] for answer in record["resps"]]
    numbers = [answer[0] if isinstance(answer, tuple) else answer for answer in given]
    return [number if isinstance(number, str) else pytest.approx(number, rel=1e-4) for number in numbers]


def test_a_group_is_one_task_with_a_slice_a_subject(imported):
    task, rows = imported("mmlu", limit=1)

    assert task.slices == ("subject",)
    assert {row["subject"] for row in rows} == set(subjects())
    assert rows[0]["shown"]["system"].startswith("The following are multiple choice questions (with answers) about ")


def test_a_row_keeps_the_question_apart_from_the_examples_before_it(imported):
    _, (row, *_) = imported("gsm8k", num_fewshot=2, limit=1)

    assert row["text"] == "Question: Mia has 14 invoices and gets 17 more. How many?\nAnswer:"
    assert row["shown"]["examples"].count("#### ") == 2
    assert row["answer"].endswith("#### 14,003")


def test_the_file_says_where_it_is_from_and_how_to_make_it_again(imported, tmp_path):
    from importlib.metadata import version

    imported("gsm8k", num_fewshot=0, filter_name="flexible-extract", max_gen_toks=99)
    first, second, *_ = (tmp_path / "gsm8k.yaml").read_text("utf-8").splitlines()

    assert first == (
        f"# gsm8k, version 3.0, as lm-eval {version('lm-eval')} asks it: by "
        "`ratchet benchmark gsm8k --num-fewshot 0 --filter flexible-extract --max-gen-toks 99`."
    )
    assert second == "# Data: openai/gsm8k (main), revision not known; 16 rows, 0 examples before each."


@pytest.mark.parametrize(
    ("name", "options"),
    [("arc_challenge", {}), ("gsm8k", {"num_fewshot": 0, "filter_name": "flexible-extract", "max_gen_toks": 384})],
)
def test_the_committed_task_files_are_those_that_their_command_makes(imported, tmp_path, name, options):
    imported(name, **options)

    committed = (COMMITTED / f"{name}.yaml").read_text("utf-8")
    made = (tmp_path / f"{name}.yaml").read_text("utf-8")
    assert yaml.safe_load(committed) == yaml.safe_load(made)
    assert committed.splitlines()[0] == made.splitlines()[0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("helaswag", {}, "lm-eval has no task 'helaswag', did you mean 'hellaswag'?"),
        ("humaneval", {}, "humaneval cannot be imported: it runs the code that a model writes"),
        ("wikitext", {}, "wikitext cannot be imported: it is scored by code of its own, process_results"),
        ("squadv2", {}, "squadv2 cannot be imported: it is written in Python (SQuAD2)"),
        (
            "gsm8k",
            {"filter_name": "strict"},
            "gsm8k has no filter 'strict', did you mean 'strict-match'?; it has strict-",
        ),
        ("truthfulqa_mc2", {"num_fewshot": 5}, "truthfulqa_mc2 takes no other examples than those in its own text"),
        ("gsm8k", {"num_fewshot": 99}, "lm-eval cannot ask gsm8k here: ValueError: Sample larger than population"),
    ],
)
def test_what_a_task_file_cannot_say_is_refused_and_leaves_nothing(tmp_path, name, options, message):
    with pytest.raises(Unsupported) as refusal:
        import_task(Request(name, tmp_path, **options))

    assert message in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_document_without_a_right_answer_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hub.write_hellaswag(tmp_path)
    file = tmp_path / "Rowan/hellaswag/default-validation.jsonl"
    file.write_text(file.read_text("utf-8").replace('"label": "3"', '"label": "4"'))

    with pytest.raises(Unsupported, match=r"hellaswag: 4 of 16 documents have no right answer .*hellaswag/3"):
        import_task(Request("hellaswag", tmp_path / "made"))


def test_files_that_are_there_stay_unless_they_may_go(imported, tmp_path):
    imported("gsm8k", limit=2)

    with pytest.raises(AlreadyThere, match=r"gsm8k\.yaml and gsm8k\.jsonl are there already: --force replaces both"):
        imported("gsm8k", limit=3)

    assert len(imported("gsm8k", limit=3, force=True)[1]) == 3


def test_without_the_data_one_sentence_says_what_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(HubAway) as refusal:
        import_task(Request("gsm8k", tmp_path / "made"))

    assert str(refusal.value) == (
        "the data set 'openai/gsm8k' (main) was looked for on the hub, which this machine does not reach (it is "
        "offline): run the same command on a machine that does, and copy the two files that it writes, .yaml and "
        ".jsonl, into quality_gates/tasks here"
    )


@pytest.mark.parametrize(("name", "exit_code"), [("arc_challenge", EXIT_DONE), ("humaneval", EXIT_TERMINAL)])
def test_as_a_process_it_says_one_thing_on_stdout_and_its_progress_on_stderr(data, tmp_path, name, exit_code):
    command = [sys.executable, "-m", "ratchet.evaluate.stock", name, "--into", str(tmp_path / "made")]
    done = subprocess.run(
        command, cwd=data, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False
    )

    assert done.returncode == exit_code, done.stderr
    assert len(done.stdout.splitlines()) == 1
    events = [json.loads(line)["event"] for line in done.stderr.splitlines() if line.startswith("{")]
    assert events[0] == "reading lm-eval's list of tasks"
    if exit_code == EXIT_DONE:
        assert json.loads(done.stdout)["num_rows"] == 8
        assert events[1:] == ["data set", "asking the imported task the same"]


def test_the_revision_is_read_from_where_the_files_came_from():
    commit = "c30699e8356da336a370243923dbaf21066bb9fe"

    assert revision_of({f"hf://datasets/cais/mmlu@{commit}/anatomy/test-00000-of-00001.parquet": {}}) == commit
    assert revision_of({"/data/test.jsonl": {}}) == revision_of(None) == ""


CHOICES = """
task: long
output_type: multiple_choice
doc_to_text: text
doc_to_target: answer
doc_to_choice: choices
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
metadata: {version: "1"}
"""


@pytest.mark.parametrize(("num_tokens", "fits"), [(512, True), (513, False)])
def test_choices_too_long_for_the_model_are_refused_and_not_cut(small, num_tokens, fits):
    template = len(small.lm.tok_encode(small.lm.apply_chat_template([{"role": "user", "content": ""}])))
    text = "0" * (num_tokens - template)  # one token a digit; the last token of a choice is not read
    asked = [(parse_task("long", CHOICES), [{"text": text, "choices": ["7", "8"], "answer": 0}])]

    if fits:
        assert len(small.ask(asked)["long"]) == 1
    else:
        with pytest.raises(UnusableModel, match=r"and its answer have 514 tokens, the model takes 512"):
            small.ask(asked)
