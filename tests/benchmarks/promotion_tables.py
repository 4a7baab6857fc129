"""The figures of `make bench-promotion`, from what was seen: pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.steps.serving.crashes import Crash
from tests.steps.serving.load import Answered

from ratchet.core.latency import percentiles, readable_ms

SETTLED_SECONDS = 1.0  # after the first answer of the new release a request is in steady state again
NUM_RESAMPLES = 10_000


@dataclass(frozen=True)
class Move:
    """A switch or a roll-back from release `old` to `new`; seconds on the clock of time.perf_counter."""

    kind: str
    commanded_at: float
    ended_at: float
    old: str
    new: str


@dataclass(frozen=True)
class Latency:
    """Seconds from the command to the last request begun on the old release, and to the first byte of the new one."""

    kind: str
    last_on_old: float
    first_of_new: float


@dataclass(frozen=True)
class Moved:
    """All that one client saw over the moves."""

    moves: Sequence[Move]
    seen: Sequence[Answered]
    failures: Sequence[str]
    allowed: frozenset[str]

    @property
    def latencies(self) -> list[Latency]:
        ends = [move.commanded_at for move in self.moves[1:]] + [float("inf")]
        return [self._latency(move, until) for move, until in zip(self.moves, ends, strict=True)]

    def _latency(self, move: Move, until: float) -> Latency:
        meanwhile = [one for one in self.seen if move.commanded_at <= one.begun_at < until]
        old = [one.begun_at for one in meanwhile if one.release == move.old]
        new = [one.first_at for one in meanwhile if one.release == move.new]
        return Latency(move.kind, max(old, default=move.commanded_at) - move.commanded_at, min(new) - move.commanded_at)

    def around(self) -> list[Answered]:
        """Requests under way between a command and a second after the new release's first byte."""
        windows = [
            (move.commanded_at, move.commanded_at + latency.first_of_new + SETTLED_SECONDS)
            for move, latency in zip(self.moves, self.latencies, strict=True)
        ]
        return [one for one in self.seen if any(_overlap(one, *window) for window in windows)]

    def steady(self) -> list[Answered]:
        """Requests that met no command, not even the end of one that tells the ledger and the registry."""
        windows = [(move.commanded_at, move.ended_at + SETTLED_SECONDS) for move in self.moves]
        return [one for one in self.seen if not any(_overlap(one, *window) for window in windows)]

    @property
    def num_foreign(self) -> int:
        return sum(one.release not in self.allowed or not one.text.startswith(one.release) for one in self.seen)


def _overlap(one: Answered, start: float, end: float) -> bool:
    return one.begun_at <= end and one.ended_at >= start


def ratio_of_medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """median(first) / median(second), and its 95 % interval: percentile bootstrap over the pairs, seeded."""
    rng = random.Random(0)

    def ratio(chosen: Sequence[tuple[float, float]]) -> float:
        return median(one for one, _ in chosen) / median(two for _, two in chosen)

    ratios = sorted(ratio(rng.choices(pairs, k=len(pairs))) for _ in range(NUM_RESAMPLES))
    return ratio(pairs), ratios[NUM_RESAMPLES // 40], ratios[-(NUM_RESAMPLES // 40)]


def table(
    moved: Moved, cold_starts: Sequence[float], tokens_per_second: Mapping[str, Sequence[tuple[float, float]]]
) -> str:
    """`tokens_per_second`: by model, through the edge and of the engine direct, pair by pair."""
    kinds = [move.kind for move in moved.moves]
    num_cut = sum(failure.startswith("Cut") for failure in moved.failures)
    rows = [
        ("moves of the users", f"{kinds.count('switch')} switches, {kinds.count('roll-back')} roll-backs"),
        ("requests, all streamed", f"{len(moved.seen) + len(moved.failures):,}"),
        ("failed before they began", f"{len(moved.failures) - num_cut}"),
        ("cut", f"{num_cut}"),
        ("answered by a release that was not approved", f"{moved.num_foreign}"),
        ("whole answer, ms", _p99("answer", moved)),
        ("first byte, ms", _p99("first", moved)),
        ("cold start, s", f"{median(cold_starts):.1f} median of {len(cold_starts)}"),
        *(row for kind in ("switch", "roll-back") for row in _latency_rows(kind, moved.latencies, median(cold_starts))),
        *(_rate_row(model, pairs) for model, pairs in tokens_per_second.items()),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _rate_row(model: str, pairs: Sequence[tuple[float, float]]) -> tuple[str, str]:
    ratio, low, high = ratio_of_medians(pairs)
    edge, direct = (median(rates) for rates in zip(*pairs, strict=True))
    interval = f"95 %: {low:.3f} … {high:.3f}, {len(pairs)} pairs"
    return f"tokens/s through the edge / direct, {model}", f"{edge:,.0f} / {direct:,.0f} = {ratio:.3f} ({interval})"


def _p99(what: str, moved: Moved) -> str:
    def told(answers: Sequence[Answered]) -> str:
        ends = [(one.ended_at if what == "answer" else one.first_at) - one.begun_at for one in answers]
        found = percentiles([seconds * 1000 for seconds in ends])
        return f"p50 {readable_ms(found.p50)}, p99 {readable_ms(found.p99)} (n = {found.num_values:,})"

    return f"around a move {told(moved.around())}; else {told(moved.steady())}"


def _latency_rows(kind: str, latencies: Sequence[Latency], cold_start: float) -> list[tuple[str, str]]:
    found = [latency for latency in latencies if latency.kind == kind]

    def told(seconds: Sequence[float]) -> str:
        middle, worst = median(seconds), max(seconds)
        shares = f"{100 * middle / cold_start:.2f} % and {100 * worst / cold_start:.2f} % of a cold start"
        return f"{middle * 1000:,.0f} ms median, {worst * 1000:,.0f} ms worst: {shares}"

    return (
        [
            (f"{kind}: command → last request begun on the old", told([one.last_on_old for one in found])),
            (f"{kind}: command → first byte of the new", told([one.first_of_new for one in found])),
        ]
        if found
        else []
    )


def crash_table(crashes: Sequence[Crash]) -> str:
    lines = ["| step | killed after | users then | mended in, s | requests | failed |", "|---|---|---|---|---|---|"]
    for crash in crashes:
        cells = (crash.step, crash.effect, crash.users_on, f"{crash.mended_seconds:.1f}", crash.num_requests)
        lines.append(f"| {' | '.join(map(str, cells))} | {len(crash.failures)} |")
    return "\n".join(lines)
