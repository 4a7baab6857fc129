"""The real edge before two engines of a few lines: how it shares, keeps, copies and counts requests."""

import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.fakes.events import sha
from tests.fakes.openai import Served, answering
from tests.steps.serving.conftest import ROOT, free_ports

from ratchet.clients.edge_counts import edge_counts
from ratchet.clients.engine import requests_in_flight
from ratchet.clients.openai import COLOUR_HEADER
from ratchet.clients.router import CONVERSATION_HEADER, EnvoyRouter
from ratchet.clients.settings import Settings, load
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState, first_state, with_canary, without_canary
from ratchet.local import edge

pytestmark = pytest.mark.timeout(120)

ON_A = first_state("blue", "a", sha("a"), seq=0)
NUM_REQUESTS = 200


@dataclass
class Place:
    settings: Settings
    router: EnvoyRouter
    engines: dict[Colour, Served]

    def go(self, state: RouterState) -> None:
        self.router.write(state, self.router.read())

    def ask(self, conversation: str | None = None) -> httpx.Response:
        headers = {CONVERSATION_HEADER: conversation} if conversation else {}
        asked = {"model": "support", "messages": [{"role": "user", "content": "Hello"}]}
        return httpx.post(f"{self.router.url()}/v1/chat/completions", json=asked, headers=headers, timeout=10.0)

    def colour_of(self, conversation: str) -> str:
        return self.ask(conversation).headers[COLOUR_HEADER]


@contextmanager
def edge_before(engines: dict[Colour, Served], **closed: int) -> Iterator[Place]:
    """The edge before these engines; a colour in `closed` is at a port where nobody listens."""
    folder = Path(tempfile.mkdtemp(prefix="edge-"))
    with ExitStack() as stack:
        urls = {
            "blue": stack.enter_context(answering(lambda: engines["blue"])),
            "green": stack.enter_context(answering(lambda: engines["green"])),
        }
        open_ports = {name: int(url.rsplit(":", 1)[1]) for name, url in urls.items()}
        settings = _settings(folder, {**free_ports("edge", "edge_admin"), **open_ports, **closed})
        edge.write(settings)
        process = stack.enter_context(subprocess.Popen(edge.command(settings), stderr=subprocess.DEVNULL))
        stack.callback(process.terminate)
        place = Place(settings, EnvoyRouter(settings.state / "router", settings.ports), engines)
        _wait_listening(place)
        yield place
    shutil.rmtree(folder)


def _settings(folder: Path, ports: dict[str, int]) -> Settings:
    environments = load(ROOT / "ratchet.toml").python("ops").parents[2]
    config = folder / "ratchet.toml"
    lines = [f'environments_dir = "{environments}"', "[ports]", *(f"{name} = {port}" for name, port in ports.items())]
    config.write_text("\n".join(lines) + "\n")
    return load(config)


@pytest.fixture(scope="module")
def running() -> Iterator[Place]:
    with edge_before({"blue": Served(), "green": Served()}) as place:
        yield place


@pytest.fixture
def place(running: Place) -> Place:
    for colour in running.engines:
        running.engines[colour] = Served(models={"support"}, headers={COLOUR_HEADER: colour})
    running.go(ON_A)
    return running


def _wait_listening(place: Place) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{place.router.url()}/health", timeout=1.0)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_a_canary_gets_its_share_of_those_who_say_nothing(place: Place) -> None:
    place.go(with_canary(ON_A, "b", sha("b"), 25))

    seen = Counter(place.ask().headers[COLOUR_HEADER] for _ in range(NUM_REQUESTS))

    assert 0.12 * NUM_REQUESTS <= seen["green"] <= 0.40 * NUM_REQUESTS
    assert seen.total() == NUM_REQUESTS


def test_a_conversation_stays_on_its_colour_and_never_goes_back_as_the_share_grows(place: Place) -> None:
    conversations = [f"conversation {number}" for number in range(60)]
    colours: list[dict[str, str]] = []
    for percent in (10, 50):
        place.go(with_canary(ON_A, "b", sha("b"), percent))
        once = {name: place.colour_of(name) for name in conversations}
        assert {name: place.colour_of(name) for name in conversations} == once
        colours.append(once)

    first, second = colours
    assert 0 < list(first.values()).count("green") < list(second.values()).count("green") < len(conversations)
    assert all(second[name] == "green" for name in conversations if first[name] == "green")


def test_a_shadow_gets_a_copy_of_each_request_and_nobody_its_answers(place: Place) -> None:
    place.engines["green"].status = 500
    place.go(with_canary(ON_A, "b", sha("b"), 0))

    answers = [place.ask() for _ in range(20)]

    assert {(answer.status_code, answer.headers[COLOUR_HEADER]) for answer in answers} == {(200, "blue")}
    deadline = time.monotonic() + 10
    while place.engines["green"].num_asked < 20:
        assert time.monotonic() < deadline, place.engines["green"].num_asked
        time.sleep(0.05)
    place.go(without_canary(with_canary(ON_A, "b", sha("b"), 0)))
    place.ask()
    assert place.engines["green"].num_asked == 20


def test_the_edge_counts_what_each_colour_answered_and_failed(place: Place) -> None:
    before = place.router.traffic("green")
    assert before is not None
    place.engines["green"].status = 500
    place.go(with_canary(ON_A, "b", sha("b"), 50))

    seen = Counter(place.ask().headers[COLOUR_HEADER] for _ in range(40))

    now = place.router.traffic("green")
    assert now is not None
    assert (now.since(before).num_requests, now.since(before).num_failed) == (seen["green"], seen["green"])
    assert seen["green"] > 0


def test_while_a_canarys_engine_is_gone_its_share_is_answered_by_production() -> None:
    engines: dict[Colour, Served] = {
        "blue": Served(models={"support"}, headers={COLOUR_HEADER: "blue"}),
        "green": Served(models={"support"}, headers={COLOUR_HEADER: "green"}),
    }
    with edge_before(engines, **free_ports("green")) as place:
        place.go(with_canary(ON_A, "b", sha("b"), 50))

        answers = [place.ask() for _ in range(60)]
        counted = place.router.traffic("green")

    assert counted is not None
    assert counted.num_failed >= counted.num_requests > 0  # nobody noticed, but the canary must
    assert {(answer.status_code, answer.headers[COLOUR_HEADER]) for answer in answers} == {(200, "blue")}


def test_requests_are_in_flight_until_they_are_answered(place: Place) -> None:
    place.engines["blue"].delay_seconds = 0.5
    ports = place.settings.ports
    assert requests_in_flight(ports, "blue") == 0

    with httpx.Client() as client, ExitStack() as stack:
        asked = {"model": "support", "messages": [{"role": "user", "content": "Hello"}]}
        url = f"{place.router.url()}/v1/chat/completions"
        waiting = threading.Thread(target=client.post, args=(url,), kwargs={"json": asked})
        waiting.start()
        stack.callback(waiting.join)
        deadline = time.monotonic() + 5
        while requests_in_flight(ports, "blue") != 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    assert requests_in_flight(ports, "blue") == 0
    assert requests_in_flight(ports, "green") == 0


def test_counts_of_the_admin_page_are_read_by_name(place: Place) -> None:
    place.ask()

    assert edge_counts(place.settings.ports, "blue", ("upstream_rq_total", "no_such_count"))["upstream_rq_total"] > 0


def test_the_state_in_force_is_what_was_written(place: Place) -> None:
    tried = with_canary(ON_A, "b", sha("b"), 10)
    place.go(tried)

    assert place.router.read() == tried
    assert json.loads(httpx.get(f"{place.router.url()}/health").text) == {"active": "blue", "release": "a"}
