"""What a benchmark of an endpoint found: bench.json."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import AwareDatetime, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from ratchet.core.contract import Contract
from ratchet.core.errors import TerminalError
from ratchet.core.latency import DEFINITIONS, StreamSummary

CONCURRENCIES = (1, 2, 4, 8)


class Level(Contract):
    """One load: `concurrency` users who each wait for their answer (closed loop), or requests that arrive at random
    `rate_per_second`, whether or not earlier ones were answered (open loop).
    """

    concurrency: PositiveInt | None = None
    rate_per_second: PositiveFloat | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.concurrency is None) == (self.rate_per_second is None):
            raise ValueError("a level has `concurrency` or `rate_per_second`")
        return self

    @property
    def value(self) -> float:
        return self.concurrency or self.rate_per_second or 0.0

    @property
    def name(self) -> str:
        if self.concurrency is not None:
            return f"{self.concurrency} at a time"
        return f"{self.rate_per_second:g} per second"


class LevelResult(Contract):
    level: Level
    found: StreamSummary


class BenchReport(Contract):
    """`prompts` says where they are from, with a digest; `num_warm_up` requests were sent before and do not count."""

    schema_version: Literal[1] = 1
    url: str
    model: str
    started_at: AwareDatetime
    prompts: str
    seed: int
    max_tokens: PositiveInt
    num_requests: PositiveInt
    num_warm_up: NonNegativeInt
    levels: tuple[LevelResult, ...]
    definitions: dict[str, str] = DEFINITIONS

    @property
    def closed(self) -> tuple[LevelResult, ...]:
        return tuple(result for result in self.levels if result.level.concurrency is not None)

    @property
    def open(self) -> tuple[LevelResult, ...]:
        return tuple(result for result in self.levels if result.level.rate_per_second is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know."""
        ways = {result.found.tokens_counted_by for result in self.levels} - {None}
        found = [f"{self.num_warm_up} requests to warm up, which do not count; {self.prompts}; seed {self.seed}"]
        if ways - {"usage"}:
            found.append(
                "tokens were counted as chunks with text where the endpoint did not tell its `usage`: their number, "
                "and tokens/s, are lower bounds if a chunk holds several"
            )
        if self.open:
            found.append("per second: latencies count from when a request was due, not from when it could be sent")
        if any(result.found.answer_ms.p95 is None or result.found.answer_ms.p99 is None for result in self.levels):
            found.append("–: too few values; p95 needs 20 whole answers and p99 100 (--num-requests)")
        return tuple(found)


def levels(concurrency: str | None, rate: str | None) -> tuple[Level, ...]:
    """From "1,2,4" and "0.5,2". Without either, CONCURRENCIES. Raises TerminalError."""
    closed = [Level(concurrency=int(number)) for number in _numbers("--concurrency", concurrency, whole=True)]
    opened = [Level(rate_per_second=number) for number in _numbers("--rate", rate, whole=False)]
    return (*closed, *opened) or tuple(Level(concurrency=number) for number in CONCURRENCIES)


def _numbers(option: str, text: str | None, whole: bool) -> Sequence[float]:
    if text is None:
        return ()
    try:
        numbers = [int(word) if whole else float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        example = "1,2,4,8" if whole else "0.5,2,8"
        raise TerminalError(f"{option} {text!r}: expected {'whole ' if whole else ''}numbers above 0, like {example}")
    return numbers
