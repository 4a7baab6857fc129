"""What the probes say about the new production: a breach is known as soon as it is certain, the rest at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ratchet.bake.contract import BakeSettings
from ratchet.clients.probe import Probe
from ratchet.core.checks import Verdict


@dataclass(frozen=True)
class Expected:
    """`latency_ms` is the median of the same timed requests while the model was staged."""

    release_id: str
    latency_ms: float


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    reason: str


def breach(probes: Sequence[Probe], expected: Expected, settings: BakeSettings) -> str | None:
    """Why the new production must not stay, as far as is certain already."""
    return (
        _wrong_release(probes, expected)
        or _too_many_failures(probes, settings)
        or (_slow_or_different(probes, expected, settings) if len(probes) >= settings.min_requests else None)
    )


def conclude(probes: Sequence[Probe], expected: Expected, settings: BakeSettings) -> Judgement:
    if reason := breach(probes, expected, settings):
        return Judgement("FAIL", reason)
    if len(probes) < settings.min_requests:
        return Judgement(
            "INCONCLUSIVE",
            f"{len(probes)} requests are too few to judge, expected at least {settings.min_requests}; timed answers "
            f"take {median_latency_ms(probes):.0f} ms ({expected.latency_ms:.0f} ms when staged). The new production "
            "stays: watch it, or give the recipe's bake more time",
        )
    failed = sum(probe.problem is not None for probe in probes)
    return Judgement(
        "PASS",
        f"{failed} of {len(probes)} requests failed; timed answers take {median_latency_ms(probes):.0f} ms "
        f"({expected.latency_ms:.0f} ms when staged); {_agreement(probes):.0%} of golden answers as evaluated",
    )


def median_latency_ms(probes: Sequence[Probe]) -> float:
    """0 when no timed probe was answered."""
    latencies = [probe.latency_ms for probe in probes if probe.latency_ms is not None]
    return median(latencies) if latencies else 0.0


def _wrong_release(probes: Sequence[Probe], expected: Expected) -> str | None:
    others = {probe.release for probe in probes if probe.problem is None} - {expected.release_id}
    if not others:
        return None
    return f"the edge answers with release {', '.join(sorted(map(str, others)))}, expected {expected.release_id}"


def _too_many_failures(probes: Sequence[Probe], settings: BakeSettings) -> str | None:
    """Counted against `min_requests` at least, so that an outage, in which few requests end, is a breach too."""
    problems = [probe.problem for probe in probes if probe.problem is not None]
    if len(problems) <= settings.max_error_rate * max(len(probes), settings.min_requests):
        return None
    return (
        f"{len(problems)} of {len(probes)} requests failed, at most {settings.max_error_rate:.1%} may; "
        f"the last one: {problems[-1]}"
    )


def _slow_or_different(probes: Sequence[Probe], expected: Expected, settings: BakeSettings) -> str | None:
    latency_ms, limit_ms = median_latency_ms(probes), settings.max_latency_ratio * expected.latency_ms
    if latency_ms > limit_ms:
        return (
            f"timed answers take {latency_ms:.0f} ms (median), at most {limit_ms:.0f} ms allowed: "
            f"{settings.max_latency_ratio:g} times the {expected.latency_ms:.0f} ms when staged"
        )
    if (agreement := _agreement(probes)) < settings.min_golden_agreement:
        return (
            f"{agreement:.0%} of golden prompts are answered as in the evaluation, expected at least "
            f"{settings.min_golden_agreement:.0%}"
        )
    return None


def _agreement(probes: Sequence[Probe]) -> float:
    golden = [probe.agrees for probe in probes if probe.agrees is not None]
    return sum(golden) / len(golden) if golden else 1.0
