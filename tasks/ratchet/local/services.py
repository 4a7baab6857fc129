"""The services of the embedded platform, as programs of one supervisor (supervisord, on a unix socket)."""

import configparser
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ratchet.clients import guard
from ratchet.clients.settings import CONFIG_VARIABLE, SECRETS_VARIABLE, Settings
from ratchet.local import edge
from ratchet.sight.arguments import BESIDE_AIRFLOW

# Longer than the guard's grace, so that the guard, not supervisord, ends a tree that does not listen.
STOP_SECONDS = 15
GUARD_GRACE_SECONDS = "8"
# Job execution starts seven processes of 150 MB each for features that nothing here uses.
MLFLOW_ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}

INHERITED = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "KUBECONFIG")


@dataclass(frozen=True)
class Program:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    autostart: bool = True
    # What it writes to stdout is a log of its own; else there is one for both.
    stdout_log: str = ""


def programs(settings: Settings, config: Path) -> list[Program]:
    """With steps on a cluster, MLflow and the serving side are there too: Airflow and what feeds it run here."""
    airflow = airflow_environment(settings, config)
    command = str(Path(sys.executable).parent / "airflow")
    told_here = ["--only", *BESIDE_AIRFLOW] if settings.runtime == "kubernetes" else []
    here = [
        Program("airflow-api-server", [command, "api-server"], airflow),
        Program("airflow-scheduler", [command, "scheduler"], airflow),
        Program("airflow-dag-processor", [command, "dag-processor"], airflow),
        Program("exporter", [sys.executable, "-m", "ratchet.sight", *told_here], {CONFIG_VARIABLE: str(config)}),
        Program("intake", [sys.executable, "-m", "ratchet.local.watch_drop"], {CONFIG_VARIABLE: str(config)}),
    ]
    if settings.runtime == "kubernetes":
        return [*here, Program("airflow-triggerer", [command, "triggerer"], airflow)]
    return [
        Program("mlflow", mlflow_command(settings), MLFLOW_ENVIRONMENT),
        Program("envoy", edge.command(settings), stdout_log="access"),
        Program("feedback", [sys.executable, "-m", "ratchet.serving.feedback"], {CONFIG_VARIABLE: str(config)}),
        *here,
        *(engine(settings, config, colour) for colour in ("blue", "green")),
    ]


def engine(settings: Settings, config: Path, colour: str) -> Program:
    """A colour starts with the platform when it is meant to serve something."""
    return Program(
        f"vllm-{colour}",
        [str(settings.python("serve")), "-m", "ratchet.local.vllm", colour],
        {CONFIG_VARIABLE: str(config)},
        autostart=(settings.state / "serving" / f"{colour}.json").is_file(),
    )


def mlflow_command(settings: Settings) -> list[str]:
    folder = settings.state / "mlflow"
    return [
        *(str(settings.python("ops")), "-m", "mlflow", "server", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", str(settings.ports.mlflow)),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", str(folder / "artifacts")),
    ]


def airflow_environment(settings: Settings, config: Path) -> dict[str, str]:
    """Airflow is configured by variables alone. Secrets stay in files that it reads by command."""
    url = f"http://127.0.0.1:{settings.ports.airflow}"
    options = {
        "CORE__DAGS_FOLDER": str(settings.root / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        # Two steps that compute on the same cores take longer than one after the other; pods have cores of their own.
        "CORE__PARALLELISM": "1" if settings.runtime == "process" else "4",
        # An API server of a cluster that is away for minutes must not end what runs there (at most 15 s between tries).
        "WORKERS__API_RETRIES": "20",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "engineer:admin,release-manager:user",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(settings.secrets / "airflow_passwords.json"),
        "CORE__FERNET_KEY_CMD": f"cat {settings.secrets / 'airflow_fernet_key'}",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(settings.ports.airflow),
        "API__BASE_URL": url,
        "API__WORKERS": "1",
        "API__SECRET_KEY_CMD": f"cat {settings.secrets / 'airflow_secret_key'}",
        "API_AUTH__JWT_SECRET_CMD": f"cat {settings.secrets / 'airflow_jwt_secret'}",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "20",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "20",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "LOGGING__BASE_LOG_FOLDER": str(settings.state / "airflow" / "logs"),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {
        "AIRFLOW_HOME": str(settings.state / "airflow"),
        CONFIG_VARIABLE: str(config),
        **{f"AIRFLOW__{name}": value for name, value in options.items()},
    }


def write_config(settings: Settings, config: Path) -> Path:
    """<state>/supervisord.conf: every program under its guard, in its own log file."""
    logs = settings.state / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    sections = configparser.RawConfigParser()
    socket = str(settings.state / "supervisor.sock")
    sections["unix_http_server"] = {"file": socket, "chmod": "0700"}
    sections["supervisord"] = {
        "pidfile": str(settings.state / "supervisord.pid"),
        "logfile": str(logs / "supervisord.log"),
        "childlogdir": str(logs),
        "directory": str(settings.root),
        "minfds": "1024",
    }
    sections["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    sections["supervisorctl"] = {"serverurl": f"unix://{socket}"}
    for program in programs(settings, config):
        sections[f"program:{program.name}"] = _section(settings, program, logs)
    path = settings.state / "supervisord.conf"
    with path.open("w", encoding="utf-8") as file:
        sections.write(file)
    return path


def _section(settings: Settings, program: Program, logs: Path) -> dict[str, str]:
    guarded = [sys.executable, guard.__file__, "--grace", GUARD_GRACE_SECONDS, *program.command]
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    secrets = {SECRETS_VARIABLE: str(settings.secrets)}
    environment = {**inherited, **program.environment, **secrets, "PYTHONUNBUFFERED": "1"}
    return {
        "command": _escaped(" ".join(f'"{part}"' for part in guarded)),
        "environment": _escaped(",".join(f'{name}="{value}"' for name, value in sorted(environment.items()))),
        "autostart": str(program.autostart).lower(),
        "autorestart": "unexpected",
        # 65 is terminal: a restart cannot help. 0 is not here: vLLM ends with it when its engine core dies.
        "exitcodes": "65",
        "startsecs": "2",
        "startretries": "3",
        "stopwaitsecs": str(STOP_SECONDS),
        **_log("stdout", logs, program.stdout_log or program.name),
        **(_log("stderr", logs, program.name) if program.stdout_log else {"redirect_stderr": "true"}),
    }


def _log(stream: str, folder: Path, name: str) -> dict[str, str]:
    return {
        f"{stream}_logfile": str(folder / f"{name}.log"),
        f"{stream}_logfile_maxbytes": "20MB",
        f"{stream}_logfile_backups": "2",
    }


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
