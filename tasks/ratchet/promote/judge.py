"""What one step of a canary shows: PASS goes on, FAIL gives up, INCONCLUSIVE holds the share and looks on."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ratchet.clients.probe import Probe
from ratchet.clients.router import Traffic
from ratchet.core.checks import Verdict
from ratchet.promote.contract import CanarySettings


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
    if reason := _breach(seen, settings):
        return Judgement("FAIL", reason)
    if reason := _too_little(seen, settings):
        return Judgement("INCONCLUSIVE", reason)
    users = f"{seen.users.num_failed} of {seen.users.num_requests} users' requests" if seen.users else "none counted"
    return Judgement(
        "PASS",
        f"{_num_failed(seen.candidate)} of {len(seen.candidate)} probes failed, {users}; timed answers take "
        f"{_ratio(seen):.2f} times as long as production's",
    )


def _breach(seen: Seen, settings: CanarySettings) -> str | None:
    """Failures as soon as they are certain; the rest once there is enough to tell."""
    if reason := _failures(seen, settings):
        return reason
    if len(seen.candidate) < settings.min_requests:
        return None
    if (ratio := _ratio(seen)) > settings.max_latency_ratio:
        return f"timed answers take {ratio:.2f} times as long as production's, at most {settings.max_latency_ratio:g}"
    golden = [probe.agrees for probe in seen.candidate if probe.agrees is not None]
    agreement = sum(golden) / len(golden) if golden else 1.0
    if agreement < settings.min_golden_agreement:
        return (
            f"{agreement:.0%} of golden prompts are answered as evaluated, at least {settings.min_golden_agreement:.0%}"
        )
    return None


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


def _ratio(seen: Seen) -> float:
    """Candidate / production; 1 while one of them has no timed answer."""
    candidate, active = (
        [probe.latency_ms for probe in probes if probe.latency_ms is not None]
        for probes in (seen.candidate, seen.active)
    )
    return median(candidate) / median(active) if candidate and active else 1.0
