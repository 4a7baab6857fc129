"""A stalled server must show: in an open loop it does, in a closed one it hides."""

import threading
import time
from itertools import pairwise
from statistics import mean, median

import pytest
from tests.fakes.openai import Served, answering

from ratchet.clients.load import closed_loop, open_loop, poisson_offsets
from ratchet.clients.openai import EngineAway
from ratchet.clients.streaming import Endpoint, stream_chat, user_says
from ratchet.core.latency import Failed, Outcome, Timing

STALL_SECONDS = 0.6
HELLO = user_says("hello")


def answered(due_at: float) -> Timing:
    now = time.perf_counter()
    return Timing(due_at, now, now, (), num_tokens=1, counted_by="usage")


def ignored(_outcome: Outcome) -> None: ...


def answers_ms(outcomes: tuple[Outcome, ...]) -> list[float]:
    return [outcome.answer_ms for outcome in outcomes if isinstance(outcome, Timing)]


def test_a_stalled_server_shows_in_open_loop_latency_and_hides_in_closed_loop() -> None:
    """It answers at once, but for a stall at the beginning, in which two thirds of the crowd arrive."""
    server = Served(models={"support"})
    with answering(lambda: server) as url:
        endpoint = Endpoint(f"{url}/v1", "support", max_tokens=4)

        def ask(_number: int, due_at: float) -> Timing:
            return stream_chat(endpoint, HELLO, due_at)

        server.stalled_until = time.monotonic() + STALL_SECONDS
        closed = closed_loop(ask, num_requests=30, concurrency=1, on_end=ignored)
        server.stalled_until = time.monotonic() + STALL_SECONDS
        opened = open_loop(ask, [number * 0.03 for number in range(30)], on_end=ignored)

    assert median(answers_ms(closed.outcomes)) < 100
    assert sum(answer > 100 for answer in answers_ms(closed.outcomes)) == 1
    assert median(answers_ms(opened.outcomes)) > 100
    assert sum(answer > 100 for answer in answers_ms(opened.outcomes)) >= 15


def test_a_client_that_comes_late_does_not_hide_it() -> None:
    """What was due while the client itself was held up is counted from when it was due."""

    def ask(number: int, due_at: float) -> Timing:
        return answered(due_at)

    load = open_loop(ask, [-0.5, 0.0], on_end=ignored)

    assert answers_ms(load.outcomes)[0] >= 500


def test_a_closed_loop_has_so_many_requests_under_way_and_no_more() -> None:
    lock, under_way, most, numbers = threading.Lock(), 0, 0, []
    together = threading.Barrier(3)

    def ask(number: int, due_at: float) -> Timing:
        nonlocal under_way, most
        with lock:
            under_way, most = under_way + 1, max(most, under_way + 1)
            numbers.append(number)
        together.wait(10)  # passes only when three are here
        with lock:
            under_way -= 1
        return answered(due_at)

    load = closed_loop(ask, num_requests=12, concurrency=3, on_end=ignored)

    assert most == 3
    assert sorted(numbers) == list(range(12))
    assert len(load.outcomes) == 12


def test_an_open_loop_waits_for_no_answer() -> None:
    """All ten must be under way at once, or none would end."""
    together = threading.Barrier(10)

    def ask(_number: int, due_at: float) -> Timing:
        together.wait(10)
        return answered(due_at)

    load = open_loop(ask, [0.0] * 10, on_end=ignored)

    assert all(isinstance(outcome, Timing) for outcome in load.outcomes)


def test_a_failed_request_is_counted_with_its_reason_and_the_load_goes_on() -> None:
    told: list[Outcome] = []

    def ask(number: int, due_at: float) -> Timing:
        if number % 2:
            raise EngineAway("the engine answers 503")
        return answered(due_at)

    load = closed_loop(ask, num_requests=4, concurrency=1, on_end=told.append)

    assert [isinstance(outcome, Failed) for outcome in load.outcomes] == [False, True, False, True]
    assert load.outcomes[1] == Failed("the engine answers 503")
    assert told == list(load.outcomes)


def test_arrivals_know_nothing_of_each_other_and_repeat_with_their_seed() -> None:
    offsets = poisson_offsets(2000, 50.0, seed=1)
    gaps = [after - before for before, after in pairwise(offsets)]

    assert offsets == poisson_offsets(2000, 50.0, seed=1)
    assert offsets != poisson_offsets(2000, 50.0, seed=2)
    assert list(offsets) == sorted(offsets)
    assert mean(gaps) == pytest.approx(1 / 50, rel=0.1)
    # Of an exponential distribution: e^-1 of the gaps are longer than the mean one.
    assert sum(gap > 1 / 50 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.04)
