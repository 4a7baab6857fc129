import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.fakes.supervisor import FakeSupervisor

from ratchet.clients.supervisor import ProgramRefused, Supervisor, SupervisorAway, SupervisorRpc

CONFIG = """
[unix_http_server]
file = {folder}/s.sock
[supervisord]
pidfile = {folder}/s.pid
logfile = {folder}/s.log
nodaemon = true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:sleeper]
command = sleep 60
autostart = false
startsecs = 0
[program:loser]
command = sh -c "echo no such model; exit 65"
autostart = false
autorestart = unexpected
exitcodes = 65
startsecs = 0
redirect_stderr = true
stdout_logfile = {folder}/loser.log
"""


@pytest.fixture(scope="module")
def supervisord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisorRpc]:
    folder = tmp_path_factory.mktemp("s")
    (folder / "s.conf").write_text(CONFIG.format(folder=folder))
    command = [Path(sys.executable).parent / "supervisord", "-c", folder / "s.conf"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _wait((folder / "s.sock").exists)
        yield SupervisorRpc(folder / "s.sock")
        process.terminate()


@pytest.fixture(params=["supervisord", "fake"])
def supervisor(request: pytest.FixtureRequest) -> Supervisor:
    return request.getfixturevalue("supervisord") if request.param == "supervisord" else FakeSupervisor()


def test_a_program_runs_from_start_to_stop(supervisor: Supervisor) -> None:
    assert not supervisor.process("sleeper").runs
    supervisor.start("sleeper")
    assert supervisor.process("sleeper").runs
    supervisor.stop("sleeper")

    stopped = supervisor.process("sleeper")
    assert not stopped.runs
    assert not stopped.gave_up
    assert time.time() - stopped.ended_at < 10


def test_starting_and_stopping_twice_does_no_harm(supervisor: Supervisor) -> None:
    for act in (supervisor.start, supervisor.start, supervisor.stop, supervisor.stop):
        act("sleeper")

    assert not supervisor.process("sleeper").runs


def test_a_program_that_ended_by_itself_gave_up_and_its_words_are_kept(supervisor: Supervisor) -> None:
    if isinstance(supervisor, FakeSupervisor):
        supervisor.crash("loser", "no such model\n")
    else:
        supervisor.start("loser")
        _wait(lambda: supervisor.process("loser").gave_up)

    assert supervisor.process("loser").gave_up
    assert supervisor.process("loser").ended_at > 0
    assert supervisor.tail("loser") == "no such model\n"


def test_an_unknown_program_is_named(supervisord: SupervisorRpc) -> None:
    with pytest.raises(ProgramRefused, match="vllm-blue"):
        supervisord.start("vllm-blue")


def test_a_supervisor_that_is_down_can_be_tried_again_later(tmp_path: Path) -> None:
    with pytest.raises(SupervisorAway, match="ratchet up"):
        SupervisorRpc(tmp_path / "s.sock").process("sleeper")


def _wait(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)
