"""`ratchet benchmark` starts the importer in the evaluate environment, and says what came of it."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from ratchet.cli.benchmark import Benchmark, bring, show
from ratchet.clients.settings import Settings
from ratchet.core.errors import TerminalError, TransientError

OUTCOME = {"name": "mmlu", "num_rows": 14042, "num_subjects": 57, "metrics": ["acc"], "note": ""}


def environment(root: Path, script: str) -> Settings:
    """A project whose evaluate environment has this script in the interpreter's place."""
    settings = Settings(root=root)
    python = settings.python("evaluate")
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return settings


def test_the_importer_gets_the_options_and_may_go_on_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_TOKEN", "of the caller")
    said: list[str] = []
    script = f"""echo "$@" >&2; echo "offline=$HF_HUB_OFFLINE token=$HF_TOKEN" >&2; echo '{json.dumps(OUTCOME)}'"""

    brought = bring(
        environment(tmp_path, script), Benchmark("mmlu", num_fewshot=0, filter_name="strict", force=True), said.append
    )

    folder = tmp_path / "quality_gates" / "tasks"
    assert said == [
        f"-m ratchet.evaluate.stock mmlu --into {folder} --num-fewshot 0 --filter strict --force",
        "offline= token=of the caller",
    ]
    assert (brought.folder, brought.outcome) == (folder, OUTCOME)


@pytest.mark.parametrize(("exit_code", "kind"), [(65, TerminalError), (75, TransientError)])
def test_its_sentence_is_the_error(tmp_path, exit_code, kind):
    settings = environment(tmp_path, f"echo 'no such task'; exit {exit_code}")

    with pytest.raises(kind, match=r"^no such task$"):
        bring(settings, Benchmark("mmlo"), print)


def test_an_importer_that_dies_is_said_to_have_died(tmp_path):
    with pytest.raises(TerminalError, match="importing mmlu ended with 1; what it said is above"):
        bring(environment(tmp_path, "exit 1"), Benchmark("mmlu"), print)


def test_without_the_environment_it_says_how_to_make_it(tmp_path):
    with pytest.raises(TerminalError, match=r"no environment with lm-eval: .*`make setup`"):
        bring(Settings(root=tmp_path), Benchmark("mmlu"), print)


def test_what_was_imported_is_said_with_the_next_step(tmp_path):
    console = Console(file=io.StringIO(), width=200)
    brought = bring(environment(tmp_path, f"echo '{json.dumps(OUTCOME)}'"), Benchmark("mmlu"), print)

    show(brought, console)

    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert "mmlu: 14,042 rows of 57 subjects, acc; asked and scored as lm-eval does" in told
    assert 'in a recipe: files.task("mmlu", with_data=True)' in told
