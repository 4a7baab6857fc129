"""How fast streamed answers came: what is measured of each, and what is said about many. Pure; clients/ measures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt

from ratchet.core.contract import Contract

CountedBy = Literal["usage", "chunks", "both"]
DEFINITIONS = {
    "ttft_ms": "from when the request was due until the first chunk with text",
    "inter_token_ms": "between two chunks with text, all gaps of all answers together; an engine that puts several "
    "tokens into a chunk has fewer and longer gaps",
    "answer_ms": "from when the request was due until the chunk that ends the answer",
    "percentiles": "nearest rank: the smallest measured value that so many per cent of the values do not exceed; none "
    "where no value could lie above it (p95 needs 20 values, p99 needs 100)",
    "tokens_per_second": "tokens of whole answers over the seconds of the load",
}


@dataclass(frozen=True)
class Timing:
    """One whole streamed answer. Times are seconds on one monotonic clock; `gaps_ms` lie between chunks with text.

    `due_at` is when the request was meant to be sent: a client that comes late does not hide how long a user waits.
    `counted_by` says where `num_tokens` is from: the stream's own usage, or its chunks.
    """

    due_at: float
    first_at: float
    ended_at: float
    gaps_ms: tuple[float, ...]
    num_tokens: int
    counted_by: Literal["usage", "chunks"]

    @property
    def ttft_ms(self) -> float:
        return (self.first_at - self.due_at) * 1000

    @property
    def answer_ms(self) -> float:
        return (self.ended_at - self.due_at) * 1000

    @property
    def inter_token_ms(self) -> float:
        """The mean over this answer's tokens after the first; 0 where there is none."""
        return (self.ended_at - self.first_at) * 1000 / max(1, self.num_tokens - 1)


@dataclass(frozen=True)
class Failed:
    """A request without a whole answer; `problem` is the sentence of its error."""

    problem: str


Outcome = Timing | Failed


class Percentiles(Contract):
    """Milliseconds, by nearest rank; None where there are too few values."""

    num_values: NonNegativeInt
    p50: NonNegativeFloat | None
    p95: NonNegativeFloat | None
    p99: NonNegativeFloat | None


class Problem(Contract):
    """Why requests failed, and how many for this reason."""

    reason: str
    num_requests: NonNegativeInt


class StreamSummary(Contract):
    """Many streamed answers of one endpoint under one load; DEFINITIONS says what each number is.

    `seconds` is how long the load took. Latencies and tokens are of whole answers only.
    """

    num_requests: NonNegativeInt
    num_failed: NonNegativeInt
    problems: tuple[Problem, ...]
    seconds: NonNegativeFloat
    ttft_ms: Percentiles
    inter_token_ms: Percentiles
    answer_ms: Percentiles
    num_tokens: NonNegativeInt
    tokens_counted_by: CountedBy | None
    tokens_per_second: NonNegativeFloat
    requests_per_second: NonNegativeFloat


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The smallest of the values that `percent` % of them do not exceed: always one that was measured.

    None where the percentile would be the largest value whatever that is: p95 of fewer than 20 values, p99 of fewer
    than 100. The median is given from one value on.
    Source: Hyndman and Fan 1996, Sample quantiles in statistical packages, Am. Stat. 50, definition 1.
    """
    if not values or (percent > 50 and len(values) * (100 - percent) < 100):
        return None
    return sorted(values)[-(-percent * len(values) // 100) - 1]


def percentiles(values: Sequence[float]) -> Percentiles:
    p50, p95, p99 = (percentile(values, percent) for percent in (50, 95, 99))
    return Percentiles(num_values=len(values), p50=p50, p95=p95, p99=p99)


def readable_ms(value: float | None) -> str:
    """Three digits, or all before the point; a dash where nothing was measured."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def summarise(outcomes: Sequence[Outcome], seconds: float) -> StreamSummary:
    """`seconds`: how long the load took, from the first request that was due to the last end."""
    whole = [outcome for outcome in outcomes if isinstance(outcome, Timing)]
    failed = Counter(outcome.problem for outcome in outcomes if isinstance(outcome, Failed))
    num_tokens = sum(timing.num_tokens for timing in whole)
    return StreamSummary(
        num_requests=len(outcomes),
        num_failed=failed.total(),
        problems=tuple(Problem(reason=reason, num_requests=count) for reason, count in failed.most_common()),
        seconds=seconds,
        ttft_ms=percentiles([timing.ttft_ms for timing in whole]),
        inter_token_ms=percentiles([gap for timing in whole for gap in timing.gaps_ms]),
        answer_ms=percentiles([timing.answer_ms for timing in whole]),
        num_tokens=num_tokens,
        tokens_counted_by=_counted_by(whole),
        tokens_per_second=num_tokens / seconds if seconds > 0 else 0.0,
        requests_per_second=len(whole) / seconds if seconds > 0 else 0.0,
    )


def _counted_by(whole: Sequence[Timing]) -> CountedBy | None:
    ways = {timing.counted_by for timing in whole}
    if len(ways) > 1:
        return "both"
    return ways.pop() if ways else None
