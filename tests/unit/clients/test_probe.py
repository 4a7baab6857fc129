import pytest
from tests.fakes.events import sha
from tests.fakes.release_world import answering

from ratchet.clients.probe import wait_until, why_not_serving

pytest.importorskip("httpx")


def test_an_engine_that_answers_with_the_model_is_fit_for_users() -> None:
    with answering() as url:
        assert why_not_serving(f"{url}/{sha('a')}", sha("a")) is None


def test_an_engine_that_holds_another_model_is_not() -> None:
    with answering() as url:
        assert "404" in (why_not_serving(f"{url}/{sha('a')}", sha("b")) or "")


def test_an_engine_whose_weights_are_not_numbers_is_not() -> None:
    with answering(logprob=float("nan")) as url:
        assert "finite" in (why_not_serving(f"{url}/{sha('a')}", sha("a")) or "")


def test_no_engine_is_not() -> None:
    assert "does not answer" in (why_not_serving("http://127.0.0.1:9", sha("a")) or "")


def test_waiting_ends_with_the_condition_or_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.clients.probe.POLL_SECONDS", 0.01)
    answers = iter([False, False, True])

    assert wait_until(lambda: next(answers), timeout_seconds=5)
    assert not wait_until(lambda: False, timeout_seconds=0.05)
