"""The entry point of every step: exit codes, manifests, error records, and work that is found again."""

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry import trace

from ratchet import __main__ as entry
from ratchet.clients import manifests
from ratchet.clients.registry import RegistryRefused, RegistryUnavailable
from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.closing import ENDED
from ratchet.core.contract import Contract
from ratchet.core.errors import Cancelled, NothingToDo, TerminalError
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.steps import STEPS, Step


class EchoInputs(Contract):
    contract_version: int = 1
    word: str


class EchoOutputs(Contract):
    contract_version: int = 1
    word: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ratchet.toml").write_text("", "utf-8")
    (tmp_path / "containers" / "ops").mkdir(parents=True)
    (tmp_path / "containers" / "ops" / "requirements.cpu.txt").write_text("pydantic==2.0\n", "utf-8")
    monkeypatch.setenv("RATCHET_CONFIG", str(tmp_path / "ratchet.toml"))
    monkeypatch.setenv("RATCHET_RUN_ID", "run-1")
    return tmp_path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return []


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> Callable[..., None]:
    """Install a step `echo` that does `act`."""

    def install(act: Callable[[EchoInputs], EchoOutputs] | None = None, acts: bool = False) -> None:
        def run(inputs: EchoInputs, world: World) -> EchoOutputs:
            calls.append(inputs.word)
            return act(inputs) if act else EchoOutputs(word=inputs.word.upper())

        module = ModuleType("ratchet.echo.run")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "ratchet.echo", ModuleType("ratchet.echo"))
        monkeypatch.setitem(sys.modules, "ratchet.echo.run", module)
        monkeypatch.setitem(STEPS, "echo", Step("echo", EchoInputs, EchoOutputs, image="ops", revision=1, acts=acts))

    return install


def raises(error: BaseException) -> Callable[[EchoInputs], EchoOutputs]:
    def act(_inputs: EchoInputs) -> EchoOutputs:
        raise error

    return act


def main(*arguments: str) -> int:
    return entry.main(["echo", *arguments])


def closing_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The only one of its kind, and the last of the log."""
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines].count(ENDED) == 1
    assert lines[-1]["event"] == ENDED
    return lines[-1]


def records(project: Path, kind: type[Contract], prefix: str) -> list[Any]:
    store = World(load(project / "ratchet.toml"), project).store
    return [kind.model_validate_json(store.get(key) or b"") for key in store.keys(prefix)]


def test_outputs_go_to_stdout_and_to_the_manifest(project: Path, echo: Any, capsys: pytest.CaptureFixture[str]) -> None:
    echo()

    assert main('{"word": "hello"}') == 0
    assert json.loads(capsys.readouterr().out)["word"] == "HELLO"
    assert [m.outputs["word"] for m in records(project, Manifest, "manifests/echo/")] == ["HELLO"]


def test_a_library_that_prints_does_not_get_between_the_outputs(
    project: Path, echo: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def chatty(inputs: EchoInputs) -> EchoOutputs:
        print("View run at http://127.0.0.1")
        return EchoOutputs(word=inputs.word)

    echo(chatty)

    assert main('{"word": "hello"}') == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["word"] == "hello"
    assert "View run" in captured.err


def test_a_disk_that_fills_up_is_worth_a_retry_and_says_where(
    project: Path, echo: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def large(inputs: EchoInputs) -> EchoOutputs:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            (project / "large").write_bytes(b"x" * 2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return EchoOutputs(word=inputs.word)

    echo(large)

    assert main('{"word": "hello"}') == 75
    assert "bytes are free there: free space (or raise the quota), then run again" in capsys.readouterr().err
    [record] = records(project, ErrorRecord, "errors/echo/")
    assert (record.error, record.exit_code, record.traceback) == ("DiskFull", 75, None)


def test_a_file_that_is_not_there_is_no_full_disk(project: Path, echo: Any) -> None:
    echo(raises(FileNotFoundError(2, "No such file or directory")))

    assert main('{"word": "hello"}') == 65


def test_the_same_work_is_found_and_not_run_again(project: Path, echo: Any, calls: list[str]) -> None:
    echo()

    assert [main('{"word": "hello"}') for _ in range(3)] == [0, 0, 0]
    assert calls == ["hello"]


def test_forced_work_is_run_again(project: Path, echo: Any, calls: list[str]) -> None:
    echo()
    main('{"word": "hello"}')

    main('{"word": "hello"}', "--force")

    assert calls == ["hello", "hello"]


def test_a_new_lock_is_new_work(project: Path, echo: Any, calls: list[str]) -> None:
    echo()
    main('{"word": "hello"}')
    (project / "containers" / "ops" / "requirements.cpu.txt").write_text("pydantic==3.0\n", "utf-8")

    main('{"word": "hello"}')

    assert calls == ["hello", "hello"]


def test_a_step_that_acts_runs_in_every_attempt(
    project: Path, echo: Any, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo(acts=True)
    for attempt in ("1", "2"):
        monkeypatch.setenv("RATCHET_ATTEMPT", attempt)
        main('{"word": "hello"}')

    assert calls == ["hello", "hello"]


def test_a_step_that_acts_needs_no_store(
    project: Path, echo: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".ratchet").mkdir()
    (project / ".ratchet" / "store").write_text("not a folder")
    echo(acts=True)

    assert main('{"word": "hello"}') == 0
    assert json.loads(capsys.readouterr().out)["word"] == "HELLO"


@pytest.mark.parametrize(
    ("error", "exit_code", "outcome", "code"),
    [
        (RegistryRefused("no such model"), 65, "failed", "REGISTRY_REFUSED"),
        (RegistryUnavailable("the registry is away"), 75, "failed", "REGISTRY_AWAY"),
        (NothingToDo("no new rows"), 99, "skipped", "NOTHING_TO_DO"),
        (Cancelled("told to stop"), 75, "stopped", "STOPPED"),
        (ZeroDivisionError("unforeseen"), 65, "failed", "BUG"),
    ],
)
def test_a_failure_has_its_exit_code_and_leaves_a_record_but_no_manifest(
    project: Path,
    echo: Any,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    exit_code: int,
    outcome: str,
    code: str,
) -> None:
    echo(raises(error))

    assert main('{"word": "hello"}') == exit_code
    assert records(project, Manifest, "manifests/") == []
    (record,) = records(project, ErrorRecord, "errors/echo/")
    assert (record.message, record.exit_code, record.code) == (str(error), exit_code, code)
    assert (record.run_id, record.attempt) == ("run-1", "1")
    told = closing_line(capsys)
    assert (told["outcome"], told["exit_code"], told["code"]) == (outcome, exit_code, code)


def test_each_attempt_closes_with_one_line_that_tells_all_of_it(
    project: Path, echo: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    echo()

    main('{"word": "hello"}')
    done = closing_line(capsys)
    main('{"word": "hello"}')
    found = closing_line(capsys)

    assert (done["step"], done["run"], done["attempt"], done["exit_code"], done["code"]) == (
        "echo",
        "run-1",
        "1",
        0,
        None,
    )
    assert (done["outcome"], found["outcome"]) == ("done", "found")
    assert len(done["key"]) == 64
    assert done["key"] == found["key"]
    assert done["wall_seconds"] >= 0
    assert done["peak_memory_mib"] > 1
    assert done["bytes_read"] > 0
    assert done["bytes_written"] > 0
    assert done["trace_id"] is None


def test_inputs_that_nobody_can_read_close_the_log_too(
    project: Path, echo: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    echo()

    main("{")

    told = closing_line(capsys)
    assert (told["outcome"], told["code"], told["key"]) == ("failed", "INPUTS_REFUSED", None)


def test_within_a_trace_every_line_carries_its_id(project: Path, echo: Any, capsys: pytest.CaptureFixture[str]) -> None:
    echo()
    span = trace.NonRecordingSpan(trace.SpanContext(trace_id=0xA1, span_id=0xB2, is_remote=False))

    with trace.use_span(span):
        main('{"word": "hello"}')

    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["trace_id"] for line in lines] == ["a1".zfill(32)] * len(lines)


def test_only_a_bug_leaves_a_traceback(project: Path, echo: Any) -> None:
    for error in (TerminalError("foreseen"), ZeroDivisionError("a bug")):
        echo(raises(error))
        main('{"word": "hello"}')

    foreseen, bug = records(project, ErrorRecord, "errors/echo/")
    assert foreseen.traceback is None
    assert "ZeroDivisionError" in bug.traceback


@pytest.mark.parametrize(
    ("inputs", "words"),
    [('{"word": 3}', "word"), ('{"word": "a", "wrod": 1}', "wrod"), ("{", "JSON"), ("{}", "word")],
)
def test_inputs_that_are_not_the_contract_are_refused_by_field(
    project: Path, echo: Any, capsys: pytest.CaptureFixture[str], inputs: str, words: str
) -> None:
    echo()

    assert main(inputs) == 65
    assert words in capsys.readouterr().err


def test_the_first_manifest_wins(project: Path) -> None:
    store = World(load(project / "ratchet.toml"), project).store
    first, second = (
        Manifest(
            step="echo",
            key="0" * 64,
            outputs={"word": word},
            started_at="2026-01-05T03:00:00Z",
            wall_seconds=1.0,
            peak_memory_mib=1.0,
        )
        for word in ("first", "second")
    )

    assert [manifests.write(store, m).outputs["word"] for m in (first, second)] == ["first", "first"]
