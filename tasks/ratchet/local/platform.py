"""Start, look at, stop and delete the embedded platform. Everything it writes is in one folder."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from ratchet.clients import guard
from ratchet.clients.settings import SECRETS_VARIABLE, Settings
from ratchet.clients.supervisor import ProgramState, SupervisorRpc
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.log import log
from ratchet.local import edge, environments, services

ENDED = ("fatal", "exited")
USERS = ("engineer", "release-manager")


class PortTaken(TerminalError, OSError):
    """Somebody else listens where the platform would."""

    code = "SETTINGS_INVALID"


class NotHealthy(TransientError, TimeoutError):
    """A service did not come up in time."""

    code = "UNAVAILABLE"


def start(settings: Settings, config: Path) -> bool:
    """Start every service that does not run yet; says whether the platform was down."""
    if settings.runtime == "process" and (missing := environments.missing(settings)):
        raise TerminalError(f"no environments for {', '.join(missing)}: run `make setup`")
    if is_up(settings):
        start_again(settings)
        return False
    end_leftover(settings)
    check_ports(settings)
    settings.state.mkdir(parents=True, exist_ok=True)
    make_secrets(settings)
    if settings.runtime == "process":
        edge.write(settings)
    path = services.write_config(settings, config)
    migrate(settings, config)
    supervisord = Path(sys.executable).parent / "supervisord"
    subprocess.run([supervisord, "-c", path], check=True, cwd=settings.root)
    _wait_for_supervisor(settings)
    return True


def start_again(settings: Settings) -> None:
    """Start the services that gave up, in a platform that otherwise runs."""
    if settings.runtime == "process":
        edge.write(settings)
    for service in states(settings):
        if service.state in ENDED:
            log.info("starting again", extra={"service": service.name})
            supervisor(settings).start(service.name)


def stop(settings: Settings, timeout_seconds: float = 60.0) -> bool:
    """Stop every service and wait until all are gone; says whether anything ran."""
    pid = _pid(settings)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_seconds
    while _pid(settings) is not None:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    end_leftover(settings)
    return True


def delete(settings: Settings) -> None:
    stop(settings)
    shutil.rmtree(settings.state, ignore_errors=True)


def is_up(settings: Settings) -> bool:
    return _pid(settings) is not None


def states(settings: Settings) -> list[ProgramState]:
    return supervisor(settings).programs() if is_up(settings) else []


def supervisor(settings: Settings) -> SupervisorRpc:
    return SupervisorRpc(settings.state / "supervisor.sock")


def wait_healthy(settings: Settings, timeout_seconds: float = 240.0) -> None:
    """Return when Airflow, MLflow and the edge answer. Raises NotHealthy with the log of one that does not."""
    waiting = {"airflow-api-server": f"http://127.0.0.1:{settings.ports.airflow}/api/v2/monitor/health"}
    if settings.runtime == "process":
        waiting["mlflow"] = f"{settings.mlflow_url}/health"
        waiting["envoy"] = f"http://127.0.0.1:{settings.ports.edge_admin}/ready"
    deadline = time.monotonic() + timeout_seconds
    while waiting:
        for name, url in list(waiting.items()):
            if _answers(name, url):
                log.info("up", extra={"service": name})
                del waiting[name]
        ended = [s for s in states(settings) if s.name in waiting and s.state in ENDED]
        if ended or time.monotonic() > deadline:
            name = ended[0].name if ended else next(iter(waiting))
            raise NotHealthy(f"{name} did not come up; the end of its log:\n{tail(settings, name)}")
        time.sleep(0.5)


def tail(settings: Settings, service: str, num_lines: int = 15) -> str:
    path = settings.state / "logs" / f"{service}.log"
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else ["(no log)"]
    return "\n".join(lines[-num_lines:])


def ports_of(settings: Settings) -> dict[str, int]:
    """The ports that the platform listens on."""
    ports = dict(settings.ports)
    return ports if settings.runtime == "process" else {name: ports[name] for name in ("airflow", "exporter")}


def check_ports(settings: Settings) -> None:
    """Raises PortTaken before anything is started."""
    for name, port in ports_of(settings).items():
        with socket.socket() as probe:
            # As servers do: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise PortTaken(
                    f"port {port} ({name}) is taken by another program: nothing was started; "
                    f"stop that program, or choose another port for {name} under [ports] in ratchet.toml"
                ) from error


def make_secrets(settings: Settings) -> None:
    """Passwords and keys, made once, readable by their owner alone."""
    settings.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    _once(settings.secrets / "airflow_passwords.json", json.dumps({user: secrets.token_urlsafe(12) for user in USERS}))
    _once(settings.secrets / "airflow_jwt_secret", secrets.token_urlsafe(48))
    _once(settings.secrets / "airflow_secret_key", secrets.token_urlsafe(32))
    # A Fernet key is 32 bytes in URL-safe base64 with its padding.
    _once(settings.secrets / "airflow_fernet_key", secrets.token_urlsafe(32) + "=")


def migrate(settings: Settings, config: Path) -> None:
    """Make or upgrade Airflow's database."""
    environment = {**os.environ, **services.airflow_environment(settings, config)}
    command = [str(Path(sys.executable).parent / "airflow"), "db", "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TransientError(f"airflow db migrate failed: {done.stderr.strip()[-2000:]}")


def end_leftover(settings: Settings) -> None:
    """What outlived its parent (the steps of a task that was ended, the programs of a killed supervisor).

    Guards end their trees by themselves when their parent is gone; this gives them the time.
    """
    config = str(settings.state / "supervisord.conf")
    for process in psutil.process_iter(["cmdline"]):
        if config in (process.info["cmdline"] or ()):
            process.terminate()
    deadline = time.monotonic() + services.STOP_SECONDS
    while _guards(settings) and time.monotonic() < deadline:
        time.sleep(0.2)


def _guards(settings: Settings) -> list[psutil.Process]:
    secrets = str(settings.secrets)
    found = psutil.process_iter(["cmdline", "environ"])
    return [
        process
        for process in found
        if guard.__file__ in (process.info["cmdline"] or ())
        and (process.info["environ"] or {}).get(SECRETS_VARIABLE) == secrets
    ]


def _wait_for_supervisor(settings: Settings, timeout_seconds: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not (is_up(settings) and (settings.state / "supervisor.sock").exists()):
        if time.monotonic() > deadline:
            raise NotHealthy(f"the supervisor did not start; the end of its log:\n{tail(settings, 'supervisord')}")
        time.sleep(0.1)


def _pid(settings: Settings) -> int | None:
    """The running supervisor's process id; a pid file of a dead one, or of another program, counts as none."""
    try:
        pid = int((settings.state / "supervisord.pid").read_text("ascii"))
        command = psutil.Process(pid).cmdline()
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    return pid if str(settings.state / "supervisord.conf") in command else None


def _answers(name: str, url: str) -> bool:
    try:
        response = httpx.get(url, timeout=5.0, trust_env=False)
    except httpx.HTTPError:
        return False
    if response.status_code != httpx.codes.OK:
        return False
    return name != "airflow-api-server" or response.json()["scheduler"]["status"] == "healthy"


def _once(path: Path, content: str) -> None:
    if not path.is_file():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
