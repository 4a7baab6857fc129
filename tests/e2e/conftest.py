"""One platform, one release: the demo is run once, as a user runs it, and every test looks at what it left."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ratchet.clients.settings import Settings, load
from ratchet.clients.world import World

ROOT = Path(__file__).parent.parent.parent
RATCHET = ROOT / ".venv" / "bin" / "ratchet"


@dataclass(frozen=True)
class Platform:
    settings: Settings
    config: Path

    @property
    def world(self) -> World:
        return World(self.settings, self.settings.scratch)

    @property
    def edge(self) -> str:
        return f"http://127.0.0.1:{self.settings.ports.edge}"

    def ratchet(self, *arguments: str, timeout: float = 1200) -> "subprocess.CompletedProcess[str]":
        command = [str(RATCHET), "--config", str(self.config), *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for probe in sockets:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in sockets]
    for probe in sockets:
        probe.close()
    return ports


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    # A short path: a unix socket's name has at most 107 characters.
    home = Path(tempfile.mkdtemp(prefix="ratchet-"))
    names = ("edge", "blue", "green", "edge_admin", "exporter", "airflow", "mlflow")
    ports = "\n".join(f"{name} = {port}" for name, port in zip(names, free_ports(len(names)), strict=True))
    config = home / "ratchet.toml"
    config.write_text(
        f'root = "{ROOT}"\nstate_dir = "{home}/state"\ncache_dir = "{ROOT}/.ratchet/cache"\n[ports]\n{ports}\n', "utf-8"
    )
    platform = Platform(load(config), config)
    try:
        yield platform
    finally:
        platform.ratchet("down")
        keep = os.environ.get("RATCHET_KEEP")
        if keep:
            shutil.copytree(home / "state" / "logs", keep, dirs_exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def demo(platform: Platform) -> "subprocess.CompletedProcess[str]":
    """`ratchet demo` on the sample data, from an empty state to a promoted model."""
    done = platform.ratchet("demo", timeout=2400)
    if keep := os.environ.get("RATCHET_KEEP"):
        Path(keep).mkdir(parents=True, exist_ok=True)
        (Path(keep) / "demo.txt").write_text(done.stdout + done.stderr, "utf-8")
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done
