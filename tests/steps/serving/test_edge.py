"""The real edge before two engines of a few lines: how it shares, keeps, copies and counts requests."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from tests.fakes.events import sha
from tests.fakes.openai import Served
from tests.steps.serving.conftest import free_ports
from tests.steps.serving.edge_place import Place, edge_before

from ratchet.clients.edge_counts import edge_counts
from ratchet.clients.engine import requests_in_flight
from ratchet.clients.openai import COLOUR_HEADER
from ratchet.core.releases import Colour
from ratchet.core.rollout import first_state, with_canary, without_canary

pytestmark = pytest.mark.timeout(120)

ON_A = first_state("blue", "a", sha("a"), seq=0)
NUM_REQUESTS = 200


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


def test_a_canary_gets_its_share_of_those_who_say_nothing(place: Place) -> None:
    place.go(with_canary(ON_A, "b", sha("b"), 25, seq=2))

    seen = Counter(place.ask().headers[COLOUR_HEADER] for _ in range(NUM_REQUESTS))

    assert 0.12 * NUM_REQUESTS <= seen["green"] <= 0.40 * NUM_REQUESTS
    assert seen.total() == NUM_REQUESTS


def test_a_conversation_stays_on_its_colour_and_never_goes_back_as_the_share_grows(place: Place) -> None:
    conversations = [f"conversation {number}" for number in range(60)]
    colours: list[dict[str, str]] = []
    for percent in (10, 50):
        place.go(with_canary(ON_A, "b", sha("b"), percent, seq=2))
        once = {name: place.colour_of(name) for name in conversations}
        assert {name: place.colour_of(name) for name in conversations} == once
        colours.append(once)

    first, second = colours
    assert 0 < list(first.values()).count("green") < list(second.values()).count("green") < len(conversations)
    assert all(second[name] == "green" for name in conversations if first[name] == "green")


def test_a_shadow_gets_a_copy_of_each_request_and_nobody_its_answers(place: Place) -> None:
    place.engines["green"].status = 500
    place.go(with_canary(ON_A, "b", sha("b"), 0, seq=2))

    answers = [place.ask() for _ in range(20)]

    assert {(answer.status_code, answer.headers[COLOUR_HEADER]) for answer in answers} == {(200, "blue")}
    deadline = time.monotonic() + 10
    while place.engines["green"].num_asked < 20:
        assert time.monotonic() < deadline, place.engines["green"].num_asked
        time.sleep(0.05)
    place.go(without_canary(with_canary(ON_A, "b", sha("b"), 0, seq=2)))
    place.ask()
    assert place.engines["green"].num_asked == 20


def test_the_edge_counts_what_each_colour_answered_and_failed(place: Place) -> None:
    before = place.router.traffic("green")
    assert before is not None
    place.engines["green"].status = 500
    place.go(with_canary(ON_A, "b", sha("b"), 50, seq=2))

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
        place.go(with_canary(ON_A, "b", sha("b"), 50, seq=2))

        answers = [place.ask() for _ in range(60)]
        counted = place.router.traffic("green")

    assert counted is not None
    assert counted.num_failed >= counted.num_requests > 0  # nobody noticed, but the canary must
    assert {(answer.status_code, answer.headers[COLOUR_HEADER]) for answer in answers} == {(200, "blue")}


def test_many_at_once_are_answered_while_a_canarys_engine_is_gone() -> None:
    engines: dict[Colour, Served] = {
        "blue": Served(models={"support"}, headers={COLOUR_HEADER: "blue"}, delay_seconds=0.5),
        "green": Served(),
    }
    with edge_before(engines, **free_ports("green")) as place:
        place.go(with_canary(ON_A, "b", sha("b"), 99, seq=2))

        answers = _ask_at_once(place, 16)

    assert Counter(answers) == {(200, "blue"): 16}


def test_what_a_hanging_candidate_does_not_begin_to_answer_production_answers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratchet.clients.routes.FIRST_BYTE_SECONDS", 1)
    before = place.router.traffic("green")
    place.engines["green"].delay_seconds = 20.0
    place.go(with_canary(ON_A, "b", sha("b"), 99, seq=2))

    answers = _ask_at_once(place, 8)
    counted = place.router.traffic("green")

    assert Counter(answers) == {(200, "blue"): 8}
    assert before is not None
    assert counted is not None
    assert counted.since(before).num_failed == 8  # nobody noticed, but the canary must
    assert requests_in_flight(place.settings.ports, "green") == 0


def test_a_slow_candidate_that_answers_first_is_not_cut(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.clients.routes.FIRST_BYTE_SECONDS", 1)
    place.engines["green"].delay_seconds = 2.0
    place.engines["blue"].delay_seconds = 20.0
    place.go(with_canary(ON_A, "b", sha("b"), 99, seq=2))

    assert Counter(_ask_at_once(place, 4)) == {(200, "green"): 4}


def _ask_at_once(place: Place, num_requests: int) -> list[tuple[int, str]]:
    """Each in a conversation that is on green: of 100 of them 99 are."""
    on_green = [f"conversation {number}" for number in range(num_requests)]
    with ThreadPoolExecutor(num_requests) as users:
        answers = users.map(place.ask, on_green)
        return [(answer.status_code, answer.headers[COLOUR_HEADER]) for answer in answers]


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
    tried = with_canary(ON_A, "b", sha("b"), 10, seq=2)
    place.go(tried)

    assert place.router.read() == tried
    assert json.loads(httpx.get(f"{place.router.url()}/health").text) == {"active": "blue", "release": "a"}
