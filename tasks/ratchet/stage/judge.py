"""What the preview must show before anybody is asked to approve it."""

from collections.abc import Sequence
from statistics import median

from ratchet.clients.openai import TIMED_TOKENS, Answer
from ratchet.core.checks import CheckResult, Verdict
from ratchet.core.golden import Golden, agrees, judge_agreement


def judge_golden(golden: Sequence[Golden], answers: Sequence[Answer], min_agreement: float) -> CheckResult:
    agreements = [agrees(asked, answer.text, answer.truncated) for asked, answer in zip(golden, answers, strict=True)]
    different = next((i for i, same in enumerate(agreements) if not same), None)
    example = ""
    if different is not None:
        asked, answer = golden[different], answers[different]
        example = f"{asked.prompt[:80]!r}: expected {asked.answered.strip()[:80]!r}, got {answer.text.strip()[:80]!r}"
    return judge_agreement(agreements, min_agreement, example)


def judge_latency(preview_ms: Sequence[float], active_ms: Sequence[float], max_ratio: float) -> CheckResult:
    """Medians of interleaved probes, so that what else the machine does slows both."""
    preview, active = median(preview_ms), median(active_ms)
    ratio = preview / active
    return CheckResult(
        name="latency",
        verdict="PASS" if ratio <= max_ratio else "FAIL",
        blocks=True,
        candidate=preview,
        baseline=active,
        effect=ratio,
        threshold=max_ratio,
        num_samples=len(preview_ms),
        reason=f"{TIMED_TOKENS} tokens take {preview:.0f} ms on preview, {active:.0f} ms on active "
        f"(medians): {ratio:.2f} times, at most {max_ratio:g} allowed",
    )


def joined(checks: Sequence[CheckResult]) -> Verdict:
    return "PASS" if all(check.verdict == "PASS" for check in checks) else "FAIL"
