"""The real edge before two engines of a few lines, on free ports."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.fakes.openai import Served, answering
from tests.steps.serving.conftest import ROOT, free_ports

from ratchet.clients.edge_keys import FILE, add_key, own_key
from ratchet.clients.openai import COLOUR_HEADER
from ratchet.clients.router import EnvoyRouter
from ratchet.clients.routes import CONVERSATION_HEADER
from ratchet.clients.settings import Settings, load
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState
from ratchet.local import edge

CHAT = "/v1/chat/completions"
HELLO = {"model": "support", "messages": [{"role": "user", "content": "Hello"}]}


@dataclass
class Place:
    settings: Settings
    router: EnvoyRouter
    engines: dict[Colour, Served]

    def go(self, state: RouterState) -> None:
        self.router.write(state, self.router.read())

    def ask(self, conversation: str | None = None) -> httpx.Response:
        headers = {CONVERSATION_HEADER: conversation} if conversation else {}
        return self.post(CHAT, HELLO, headers=headers)

    def colour_of(self, conversation: str) -> str:
        return self.ask(conversation).headers[COLOUR_HEADER]

    def post(self, path: str, body: Any, key: str = "", headers: Mapping[str, str] | None = None) -> httpx.Response:
        sent = {**({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        # A connection of its own, but no certificates: to read them takes longer than to ask.
        return httpx.post(f"{self.router.url()}{path}", json=body, headers=sent, timeout=20.0, verify=False)

    def give_key(self, name: str) -> str:
        """A new key, once the edge knows it. A name of its own for each test: what a key spent is not forgotten."""
        key = add_key(self.settings, name)
        edge.write_own_keys(self.settings)
        own = own_key(self.settings)
        eventually(lambda: (self._status(), self._status(own)) == (401, 200))
        return key

    def let_everybody_in(self) -> None:
        (self.settings.secrets / FILE).unlink(missing_ok=True)
        edge.write_own_keys(self.settings)
        eventually(lambda: self._status() == 200)

    def _status(self, key: str = "") -> int:
        return self.post(CHAT, HELLO, key).status_code


def eventually(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def edge_before(engines: dict[Colour, Served], table: str = "", **closed: int) -> Iterator[Place]:
    """The edge before these engines, with `table` as its [edge]; at a port in `closed` nobody listens."""
    folder = Path(tempfile.mkdtemp(prefix="edge-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        urls = {
            "blue": stack.enter_context(answering(lambda: engines["blue"])),
            "green": stack.enter_context(answering(lambda: engines["green"])),
        }
        open_ports = {name: int(url.rsplit(":", 1)[1]) for name, url in urls.items()}
        settings = _settings(folder, {**free_ports("edge", "edge_admin"), **open_ports, **closed}, table)
        edge.write(settings)
        log = stack.enter_context((folder / "access.log").open("wb"))
        process = stack.enter_context(subprocess.Popen(edge.command(settings), stdout=log, stderr=subprocess.DEVNULL))
        stack.callback(process.terminate)
        place = Place(settings, EnvoyRouter(settings.state / "router", settings.ports), engines)
        eventually(lambda: _listens(place))
        yield place


def _settings(folder: Path, ports: dict[str, int], table: str) -> Settings:
    environments = load(ROOT / "ratchet.toml").python("ops").parents[2]
    config = folder / "ratchet.toml"
    lines = [f'environments_dir = "{environments}"', "[ports]", *(f"{name} = {port}" for name, port in ports.items())]
    config.write_text("\n".join([*lines, "[edge]", table]) + "\n")
    return load(config)


def _listens(place: Place) -> bool:
    try:
        httpx.get(f"{place.router.url()}/health", timeout=1.0)
    except httpx.TransportError:
        return False
    return True
