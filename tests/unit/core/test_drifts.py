"""What drifted is told once, and what has been usual comes from the newest looks."""

import pytest
from tests.fakes.looks import look

from ratchet.core.drift import EMBEDDING
from ratchet.core.drifts import NUM_LOOKS, Drift, is_news, usual_of


@pytest.mark.parametrize(
    ("words", "embedding", "drifted"),
    [(0.1, 0.01, ()), (0.2, 0.01, ("words",)), (0.1, 0.02, (EMBEDDING,)), (0.2, 0.02, ("words", EMBEDDING))],
)
def test_a_feature_drifted_when_it_is_above_its_limit(words: float, embedding: float, drifted: tuple[str, ...]) -> None:
    assert look(words, embedding).drifted == drifted


@pytest.mark.parametrize(
    ("before", "now", "news"),
    [
        ([], look(), False),
        ([], look(words=0.2), True),
        ([look(words=0.2)], look(words=0.3), False),
        ([look(words=0.2)], look(words=0.2, embedding=0.02), True),
        ([look(words=0.2), look()], look(words=0.2), True),
    ],
)
def test_what_goes_on_is_no_news(before: list[Drift], now: Drift, news: bool) -> None:
    assert is_news(now, before) is news


def test_the_usual_is_of_the_newest_looks_oldest_first() -> None:
    usual = usual_of([look(words=0.01 * n, embedding=0.001 * n) for n in range(30)])

    assert usual["words"] == tuple(0.01 * n for n in range(30 - NUM_LOOKS, 30))
    assert usual[EMBEDDING][-1] == 0.001 * 29
    assert usual_of([]) == {}
