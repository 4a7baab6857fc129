"""Engines and edges that die, hang or lie while users ask: on real engines behind the real edge."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from tests.steps.serving.conftest import Serving, wait
from tests.steps.serving.load import Users, users, wait_for_requests
from tests.steps.serving.models import PROMPTS
from tests.steps.serving.releases import LINE, QUICK_CANARY, Releases

from ratchet.core.rollout import with_canary
from ratchet.promote import run as promote
from ratchet.promote.contract import CanarySettings, PromoteOutputs

pytestmark = pytest.mark.timeout(900)

# Long enough for whatever happens to it.
LONG_CANARY = QUICK_CANARY.model_copy(update={"steps": (60,), "step_seconds": 300.0})
RUNNING = "vllm:num_requests_running{"
# What a client may answer by asking again: nobody was there, or the connection broke.
CAN_BE_ASKED_AGAIN = ("ConnectError", "ReadError", "RemoteProtocolError", "Cut")


@contextmanager
def asking(serving: Serving, num_threads: int = 4) -> Iterator[Users]:
    with users(serving.world.router.url(), LINE, PROMPTS[0], num_threads) as load:
        yield load


@contextmanager
def canary(releases: Releases, load: Users, settings: CanarySettings) -> Iterator[Future[PromoteOutputs]]:
    """A promotion in the moment in which the candidate has begun to answer users."""
    asked = releases.approved(settings)
    with ThreadPoolExecutor(1) as promotion:
        outputs = promotion.submit(promote.run, asked, releases.serving.world)
        wait(lambda: (asked.release_id, asked.release_id) in load.answers or outputs.done(), 60)
        yield outputs


def assert_given_up(releases: Releases, outputs: PromoteOutputs, because: str) -> None:
    events = releases.serving.world.ledger(LINE).events()
    assert (outputs.verdict, releases.live, releases.state.canary) == ("FAIL", "base", None)
    assert because in outputs.reason
    assert (events[-1].kind, events[-1].note) == ("aborted", outputs.reason)
    releases.assert_sound()


def test_a_candidate_that_answers_otherwise_than_evaluated_is_given_up(releases: Releases) -> None:
    with asking(releases.serving) as load:
        outputs = promote.run(releases.approved(QUICK_CANARY, evaluated_as="something else"), releases.serving.world)

    assert_given_up(releases, outputs, because="golden prompts")
    assert load.failures == []


def test_users_of_a_candidate_that_dies_are_answered_by_production(releases: Releases) -> None:
    with asking(releases.serving) as load, canary(releases, load, LONG_CANARY) as promotion:
        os.killpg(releases.serving.engine_pid("green"), signal.SIGKILL)
        outputs = promotion.result(timeout=120)
        wait_for_requests(load, 12)

    assert_given_up(releases, outputs, because="failed")
    assert len(load.failures) <= 4  # at most those to whom it had begun to answer
    assert all(failure.startswith("Cut") for failure in load.failures), load.failures


def test_users_of_a_candidate_that_hangs_are_answered_by_production(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratchet.clients.routes.FIRST_BYTE_SECONDS", 2)
    # Of so many not all are in the middle of an answer of the candidate when it stops: those wait until it goes on.
    with asking(releases.serving, num_threads=12) as load, canary(releases, load, LONG_CANARY) as promotion:
        os.killpg(releases.serving.engine_pid("green"), signal.SIGSTOP)
        try:
            wait_for_requests(load, 24)
            outputs = promotion.result(timeout=120)
            wait_for_requests(load, 24)
        finally:
            os.killpg(releases.serving.engine_pid("green"), signal.SIGCONT)

    assert_given_up(releases, outputs, because="failed")
    assert load.failures == []


def test_an_edge_that_dies_in_the_middle_of_a_canary_comes_back_with_its_shares(releases: Releases) -> None:
    router, before = releases.serving.world.router, releases.state
    shared = with_canary(before, "tuned", releases.models["tuned"].sha256, 50, seq=0)
    router.write(shared, before)
    with asking(releases.serving) as load:
        wait_for_requests(load, 12)
        os.kill(releases.serving.edge_pid(), signal.SIGKILL)
        wait(lambda: bool(load.failures) and _answers(releases.serving), 60)
        num_failed = len(load.failures)
        load.answers.clear()
        wait_for_requests(load, 40)
    print(f"{num_failed} requests of 4 users failed: {Counter(kind(failure) for failure in load.failures)}")

    assert releases.state == shared
    assert set(load.answers) == {("base", "base"), ("tuned", "tuned")}
    assert {kind(failure) for failure in load.failures} <= set(CAN_BE_ASKED_AGAIN)
    router.write(before, shared)


def test_an_edge_that_dies_before_a_switch_comes_back_with_the_new_state(releases: Releases) -> None:
    asked = releases.approved()
    os.kill(releases.serving.edge_pid(), signal.SIGKILL)

    promote.run(asked, releases.serving.world)

    wait(lambda: _answers(releases.serving), 60)
    assert releases.live == "tuned"
    releases.assert_sound()
    releases.assert_told()


def test_an_engine_that_is_told_to_stop_finishes_its_answers(releases: Releases) -> None:
    serving, url = releases.serving, releases.serving.world.engine.url("green")
    with users(url, LINE, PROMPTS[0], num_tokens=400) as load:
        wait(lambda: _num_running(url) == 4, 60)
        load.stop.set()  # what it is asked from now on it refuses
        told_at = time.perf_counter()
        os.kill(serving.engine_pid("green"), signal.SIGTERM)

    assert load.failures == []
    assert [one.begun_at < told_at < one.ended_at for one in load.seen[-4:]] == [True] * 4


def _num_running(url: str) -> int:
    (line,) = [line for line in httpx.get(f"{url}/metrics").text.splitlines() if line.startswith(RUNNING)]
    return int(float(line.split()[-1]))


def kind(failure: str) -> str:
    return failure.partition(":")[0]


def _answers(serving: Serving) -> bool:
    try:
        return httpx.get(f"{serving.world.router.url()}/health").is_success
    except httpx.TransportError:
        return False
