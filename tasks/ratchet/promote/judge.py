"""What one step of a canary shows: PASS goes on, FAIL gives up, INCONCLUSIVE holds the share and looks on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.clients.probe import Probe
from ratchet.clients.router import Traffic
from ratchet.core.checks import Verdict
from ratchet.core.estimate import Estimate
from ratchet.core.means import mean
from ratchet.promote.contract import CanarySettings

# One look a step, and several steps. A candidate that takes just as long as it may is given up in one step of 100, if
# what disturbs its answers lasts no longer than one of them; one as quick as production is far from that limit.
ALPHA, POWER = 0.01, 0.8


@dataclass(frozen=True)
class Seen:
    """In one step: probes that both got in turn, and what users asked of the candidate (None: nobody counts)."""

    candidate: Sequence[Probe]
    active: Sequence[Probe]
    users: Traffic | None
    seconds: float


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    reason: str


def judge(seen: Seen, settings: CanarySettings) -> Judgement:
    """Failures end the step as soon as they are certain, the rest is judged once, at its end."""
    if reason := _failures(seen, settings):
        return Judgement("FAIL", reason)
    if reason := _too_little(seen, settings):
        return Judgement("INCONCLUSIVE", reason)
    slowness = _slowness(seen, settings)
    if reason := _too_slow(slowness, settings) or _different(seen, settings):
        return Judgement("FAIL", reason)
    users = f"{seen.users.num_failed} of {seen.users.num_requests} users' requests" if seen.users else "none counted"
    times = f"; timed answers take {math.exp(slowness.value):.2f} times as long as production's" if slowness else ""
    return Judgement("PASS", f"{_num_failed(seen.candidate)} of {len(seen.candidate)} probes failed, {users}{times}")


def _slowness(seen: Seen, settings: CanarySettings) -> Estimate | None:
    """Of the mean logarithm of candidate / production, over answers that were timed in the same turn."""
    pairs = zip(seen.candidate, seen.active, strict=True)
    logs = [
        math.log(ours.latency_ms / theirs.latency_ms) for ours, theirs in pairs if ours.latency_ms and theirs.latency_ms
    ]
    return mean(logs, math.log(settings.max_latency_ratio), ALPHA, POWER) if len(logs) > 1 else None


def _too_slow(slowness: Estimate | None, settings: CanarySettings) -> str | None:
    """`stage` proved that it is quick enough. Here the opposite must be certain: a busy moment is no slow model."""
    if slowness is None or math.exp(slowness.low) <= settings.max_latency_ratio:
        return None
    return (
        f"timed answers take {math.exp(slowness.value):.2f} times as long as production's "
        f"({100 * (1 - ALPHA):g}% bound: at least {math.exp(slowness.low):.2f}), at most {settings.max_latency_ratio:g}"
    )


def _different(seen: Seen, settings: CanarySettings) -> str | None:
    golden = [probe.agrees for probe in seen.candidate if probe.agrees is not None]
    agreement = sum(golden) / len(golden) if golden else 1.0
    if agreement >= settings.min_golden_agreement:
        return None
    return f"{agreement:.0%} of golden prompts are answered as evaluated, at least {settings.min_golden_agreement:.0%}"


def _failures(seen: Seen, settings: CanarySettings) -> str | None:
    """Counted against the numbers that are waited for, so that an outage, in which few requests end, is a breach."""
    failed = _num_failed(seen.candidate)
    if failed > settings.max_error_rate * max(len(seen.candidate), settings.min_requests):
        last = next(probe.problem for probe in reversed(seen.candidate) if probe.problem is not None)
        return (
            f"{failed} of {len(seen.candidate)} probes failed, at most {settings.max_error_rate:.1%}; the last: {last}"
        )
    users = seen.users
    least = max(settings.min_user_requests, settings.min_requests)
    if users and users.num_failed > settings.max_error_rate * max(users.num_requests, least):
        return (
            f"{users.num_failed} of {users.num_requests} users' requests to the candidate failed, at most "
            f"{settings.max_error_rate:.1%}"
        )
    return None


def _too_little(seen: Seen, settings: CanarySettings) -> str | None:
    if len(seen.candidate) < settings.min_requests:
        return f"{len(seen.candidate)} probes are too few to judge, expected {settings.min_requests}"
    num_users = seen.users.num_requests if seen.users else 0
    if num_users < settings.min_user_requests:
        return f"{num_users} users' requests are too few to judge, expected {settings.min_user_requests}"
    if seen.seconds < settings.step_seconds:
        return f"{seen.seconds:.0f} of {settings.step_seconds:.0f} s"
    return None


def _num_failed(probes: Sequence[Probe]) -> int:
    return sum(probe.problem is not None for probe in probes)
