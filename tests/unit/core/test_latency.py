"""What is said about many streamed answers."""

import random

import numpy as np
import pytest

from ratchet.core.latency import Failed, Timing, percentile, readable_ms, summarise


def timing(ttft: float, gaps: tuple[float, ...] = (), due_at: float = 100.0, **fields) -> Timing:
    """In seconds; one token a chunk."""
    first_at = due_at + ttft
    made = {"num_tokens": len(gaps) + 1, "counted_by": "usage", **fields}
    return Timing(due_at, first_at, first_at + sum(gaps), tuple(gap * 1000 for gap in gaps), **made)


@pytest.mark.parametrize("percent", [50, 95, 99])
@pytest.mark.parametrize("count", [100, 101, 137, 1000])
def test_a_percentile_is_numpys_nearest_rank(percent, count):
    rng = random.Random(count)
    values = [rng.lognormvariate(0, 1) for _ in range(count)]

    assert percentile(values, percent) == np.percentile(values, percent, method="inverted_cdf")


@pytest.mark.parametrize(("percent", "least"), [(50, 1), (95, 20), (99, 100)])
def test_a_percentile_that_could_only_be_the_largest_value_is_not_given(percent, least):
    assert percentile(range(least - 1), percent) is None
    assert percentile(range(least), percent) is not None


def test_an_answer_is_timed_from_when_it_was_due():
    late = timing(0.2, (0.01, 0.03))

    assert late.ttft_ms == pytest.approx(200)
    assert late.answer_ms == pytest.approx(240)
    assert late.inter_token_ms == pytest.approx(20)


def test_an_answer_of_one_token_has_no_time_between_tokens():
    assert timing(0.2).inter_token_ms == 0


def test_throughput_is_of_whole_answers_over_the_time_of_the_load():
    found = summarise([timing(0.1, (0.01,) * 9), timing(0.3, (0.02,) * 9), Failed("away")], seconds=2.0)

    assert (found.num_requests, found.num_failed, found.num_tokens) == (3, 1, 20)
    assert (found.tokens_per_second, found.requests_per_second) == (10.0, 1.0)
    assert found.ttft_ms.p50 == pytest.approx(100)
    assert (found.inter_token_ms.num_values, found.inter_token_ms.p99) == (18, None)


def test_failures_are_counted_by_reason_the_commonest_first():
    found = summarise([Failed("cut"), Failed("away"), Failed("away")], seconds=1.0)

    assert [(problem.reason, problem.num_requests) for problem in found.problems] == [("away", 2), ("cut", 1)]
    assert (found.answer_ms.p50, found.tokens_counted_by, found.tokens_per_second) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("ways", "told"), [(("usage", "usage"), "usage"), (("chunks",), "chunks"), (("usage", "chunks"), "both")]
)
def test_it_is_told_how_tokens_were_counted(ways, told):
    assert summarise([timing(0.1, counted_by=way) for way in ways], 1.0).tokens_counted_by == told


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.1234, "0.123"), (23.45, "23.4"), (99.99, "100"), (1234.5, "1,234")]
)
def test_milliseconds_are_readable(value, text):
    assert readable_ms(value) == text
