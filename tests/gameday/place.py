"""A platform of its own in a temporary folder, and what can be done to it that no command of `ratchet` does."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import tests.gameday.overlay.sitecustomize  # noqa: F401 (the day's recipe is found in this process too)

from ratchet.clients.airflow import Airflow
from ratchet.clients.settings import CONFIG_VARIABLE, Settings, load
from ratchet.clients.world import World
from ratchet.core.rollout import RouterState
from ratchet.local import platform
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

ROOT = Path(__file__).parents[2]
RATCHET = ROOT / ".venv" / "bin" / "ratchet"
LINE = "gameday"
PORTS = ("edge", "blue", "green", "edge_admin", "exporter", "airflow", "mlflow")
COMMAND_SECONDS = 900.0
GIVES_UP_SECONDS = 180.0


@dataclass(frozen=True)
class Typed:
    """One command as it was typed, and what came of it."""

    words: tuple[str, ...]
    exit_code: int
    seconds: float
    said: str

    @property
    def text(self) -> str:
        return " ".join(("ratchet", *(f'"{word}"' if " " in word else word for word in self.words)))


@dataclass(frozen=True)
class Place:
    home: Path
    config: Path
    settings: Settings

    @property
    def world(self) -> World:
        return World(self.settings, self.settings.scratch)

    @property
    def state(self) -> RouterState:
        found = self.world.router.read()
        assert found is not None, "nothing has the users"
        return found

    @property
    def recipe(self) -> Recipe:
        return load_recipe(self.settings.recipe, self.settings.root)

    def airflow(self, user: str = "engineer") -> Airflow:
        url = f"http://127.0.0.1:{self.settings.ports.airflow}"
        return Airflow(url, user, self.settings.secrets / "airflow_passwords.json")

    def ratchet(self, *words: str) -> Typed:
        begun = time.monotonic()
        command = [str(RATCHET), "--config", str(self.config), *words]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        typed = Typed(words, done.returncode, time.monotonic() - begun, done.stdout + done.stderr)
        say(f"  $ {typed.text}   → {typed.exit_code} after {typed.seconds:.1f} s")
        if typed.exit_code:
            say("\n".join(f"    {line}" for line in typed.said.strip().splitlines()[-12:]))
        return typed

    def signal(self, service: str, number: signal.Signals) -> None:
        """To all processes of a service, but not to the guard that owns them."""
        for child in psutil.Process(self._process(service)["pid"]).children():
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)

    def crash_until_it_gives_up(self, service: str) -> None:
        """It dies again and again as it starts, until the supervisor no longer starts it."""
        deadline = time.monotonic() + GIVES_UP_SECONDS
        while (state := (found := self._process(service))["statename"]) != "FATAL":
            assert time.monotonic() < deadline, f"{service} is {state}, and does not give up"
            with suppress(psutil.Error, ProcessLookupError):
                if state == "RUNNING":
                    self.signal(service, signal.SIGKILL)
                elif state == "STARTING":
                    os.kill(found["pid"], signal.SIGTERM)  # the guard takes what it has started along
            time.sleep(0.1)

    def _process(self, service: str) -> dict[str, Any]:
        """As supervisord tells it: `pid` is the guard's."""
        supervisor = platform.supervisor(self.settings)
        return dict(supervisor._call(lambda rpc: rpc.getProcessInfo(service), service))


@contextmanager
def place() -> Iterator[Place]:
    """Nothing runs yet; whatever does at the end is stopped, and the folder deleted."""
    # A short path: a unix socket's name has at most 107 characters.
    home = Path(tempfile.mkdtemp(prefix="gameday-"))
    config = home / "ratchet.toml"
    ports = "\n".join(f"{name} = {port}" for name, port in zip(PORTS, _free_ports(len(PORTS)), strict=True))
    config.write_text(
        f'root = "{ROOT}"\nstate_dir = "{home}/state"\ncache_dir = "{ROOT}/.ratchet/cache"\nrecipe = "{LINE}"\n'
        f"[ports]\n{ports}\n",
        "utf-8",
    )
    found = Place(home, config, load(config))
    try:
        yield found
    finally:
        platform.stop(found.settings)
        if kept := os.environ.get("RATCHET_KEEP"):
            shutil.copytree(home / "state" / "logs", kept, dirs_exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)


def wait(what: str, reached: Callable[[], object], timeout_seconds: float) -> None:
    """Raises TimeoutError, which says what did not come."""
    deadline = time.monotonic() + timeout_seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout_seconds:.0f} s still not: {what}")
        time.sleep(0.5)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def environment() -> dict[str, str]:
    """With the day's recipe among the others, for the services too."""
    own = {"PYTHONPATH": str(Path(__file__).parent / "overlay")}
    inherited = {name: value for name, value in os.environ.items() if name != CONFIG_VARIABLE}
    return {**inherited, **own}


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports
