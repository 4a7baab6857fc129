import os
import time
from pathlib import Path

import pytest

from ratchet.clients.files import DiskFull
from ratchet.clients.memory import Room
from ratchet.convert import contained
from ratchet.convert.contained import ConvertCrashed, ConvertFailed, ConvertTimeout, run_contained
from ratchet.core.errors import Cancelled, TerminalError


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that the process under test runs; write its code."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "converter.py"


def run(module: Path, *arguments: str, deadline_seconds: float = 30.0) -> None:
    log_file = module.with_name("converter.log")
    run_contained("converter", arguments, doing="exporting", log_file=log_file, deadline_seconds=deadline_seconds)


def test_a_process_that_ends_well_is_silent(module: Path, capfd: pytest.CaptureFixture[str]) -> None:
    module.write_text("import sys; open(sys.argv[1], 'w').write('done'); print('chatter')")

    run(module, str(module.with_name("out")))

    assert module.with_name("out").read_text() == "done"
    assert capfd.readouterr().out == ""


def test_a_segmentation_fault_is_named_with_what_was_said_last(module: Path) -> None:
    module.write_text("import os, signal; print('lowering', flush=True); os.kill(os.getpid(), signal.SIGSEGV)")

    with pytest.raises(ConvertCrashed, match=r"CONVERT_CRASHED: exporting was ended by SIGSEGV.*\nlowering"):
        run(module)


def test_a_kill_for_memory_says_so(module: Path) -> None:
    module.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")

    with pytest.raises(ConvertCrashed, match=r"SIGKILL, as when memory runs out.*\n.nothing."):
        run(module)


def test_a_hang_ends_at_the_deadline_and_leaves_no_process(module: Path) -> None:
    module.write_text("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    started = time.monotonic()

    with pytest.raises(ConvertTimeout, match="CONVERT_TIMEOUT: exporting took longer than its 1 s"):
        run(module, deadline_seconds=1.0)

    assert time.monotonic() - started < 10
    pid = int(module.with_name("converter.log").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_stop_that_reaches_the_process_first_is_no_crash(module: Path, name: str) -> None:
    # The default first: tests that run in the background of a shell have SIGINT ignored, and so have their children.
    module.write_text(
        f"import os, signal, time; signal.signal(signal.{name}, signal.SIG_DFL); "
        f"os.kill(os.getpid(), signal.{name}); time.sleep(60)"
    )

    with pytest.raises(Cancelled, match="told to stop: exporting"):
        run(module)


def test_an_error_of_the_converter_is_quoted(module: Path) -> None:
    module.write_text("raise ValueError('no such quantization recipe')")

    with pytest.raises(ConvertFailed, match=r"(?s)CONVERT_FAILED.*exit code 1.*no such quantization recipe"):
        run(module)


def test_a_death_on_a_full_disk_may_be_tried_again(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module.write_text("raise OSError(28, 'No space left on device')")
    monkeypatch.setattr(contained, "disk_room", lambda folder: Room(free=0, total=1 << 40))

    with pytest.raises(DiskFull, match=r"(?s)filled up.*No space left on device") as full:
        run(module)

    assert full.value.exit_code == 75
    assert all(issubclass(error, TerminalError) for error in (ConvertCrashed, ConvertTimeout, ConvertFailed))
