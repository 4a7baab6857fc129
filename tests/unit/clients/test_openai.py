from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.fakes.openai import Served, answering

from ratchet.clients.openai import EngineAway, NotANumber, RequestRefused, chat, check_numbers, timed_chat
from ratchet.core.errors import TerminalError, TransientError


@contextmanager
def serving(**fields: Any) -> Iterator[str]:
    engine = Served(models={"support"}, **fields)
    with answering(lambda: engine) as url:
        yield url


def test_an_answer_comes_with_who_gave_it() -> None:
    headers = {"x-ratchet-colour": "green", "x-model-release": "b"}
    with serving(answers={"hello": "hi there"}, headers=headers) as url:
        answer = chat(url, "support", "hello", max_tokens=8)

    assert (answer.text, answer.truncated, answer.colour, answer.release) == ("hi there", False, "green", "b")


def test_an_engine_without_an_edge_names_no_release() -> None:
    with serving() as url:
        assert chat(url, "support", "hello", max_tokens=8).release is None


def test_latency_is_that_of_the_answer() -> None:
    with serving(delay_seconds=0.05) as url:
        latencies = [timed_chat(url, "support", "hello").latency_ms for _ in range(3)]

    assert all(50 <= latency < 1000 for latency in latencies)


@pytest.mark.parametrize(
    ("status", "error"), [(500, EngineAway), (503, EngineAway), (429, EngineAway), (400, RequestRefused)]
)
def test_a_failed_answer_says_whether_a_retry_may_help(status: int, error: type[Exception]) -> None:
    with serving(status=status) as url, pytest.raises(error, match=str(status)):
        chat(url, "support", "hello", max_tokens=8)

    assert issubclass(EngineAway, TransientError)
    assert issubclass(RequestRefused, TerminalError)


def test_a_key_opens_an_endpoint_that_wants_one() -> None:
    with serving(key="abc") as url:
        assert chat(url, "support", "hello", max_tokens=8, key="abc").text == "some_label"
        with pytest.raises(RequestRefused, match="401"):
            chat(url, "support", "hello", max_tokens=8)


def test_another_model_is_refused() -> None:
    with serving() as url, pytest.raises(RequestRefused, match="banking does not exist"):
        chat(url, "banking", "hello", max_tokens=8)


def test_nobody_at_home_may_be_there_later() -> None:
    with pytest.raises(EngineAway, match="does not answer"):
        chat("http://127.0.0.1:9", "support", "hello", max_tokens=8)


def test_an_engine_that_is_too_slow_counts_as_away() -> None:
    with serving(delay_seconds=0.3) as url, pytest.raises(EngineAway, match="Timeout"):
        chat(url, "support", "hello", max_tokens=8, timeout=0.1)


def test_finite_numbers_are_fine() -> None:
    with serving() as url:
        check_numbers(url, "support", "hello")


@pytest.mark.parametrize("fields", [{"has_nan": True}, {"logprob": float("nan")}, {"logprob": None}], ids=str)
def test_a_model_that_computes_nan_is_told(fields: dict[str, Any]) -> None:
    with serving(**fields) as url, pytest.raises(NotANumber, match="train it again"):
        check_numbers(url, "support", "hello")
