"""What the preview must show before anybody is asked to approve it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ratchet.clients.openai import Answer
from ratchet.core.checks import CheckResult, Verdict
from ratchet.core.estimate import Estimate
from ratchet.core.golden import Golden, agrees, judge_agreement
from ratchet.core.latency import StreamSummary, Timing, readable_ms
from ratchet.core.means import clustered_mean
from ratchet.core.paired import holm
from ratchet.core.sequential import look_counts, look_level
from ratchet.stage.contract import StageSettings

ALPHA, POWER = 0.05, 0.8
NUM_LOOKS, NUM_BATCHES = 4, 10
# Shorter times are not told apart: nobody notices them, and a client that was busy reads several tokens at once.
_NOTICED_MS = 1.0


@dataclass(frozen=True)
class Pair:
    """Both colours' answers to one prompt, one right after the other."""

    preview: Timing
    active: Timing


@dataclass(frozen=True)
class Limit:
    """`what` "takes so many times as long as production's"; `metric` is a property of Timing, in milliseconds."""

    name: str
    what: str
    metric: str
    max_ratio: float

    def of(self, timing: Timing) -> float:
        return max(_NOTICED_MS, float(getattr(timing, self.metric)))


def judge_golden(golden: Sequence[Golden], answers: Sequence[Answer], min_agreement: float) -> CheckResult:
    agreements = [agrees(asked, answer.text, answer.truncated) for asked, answer in zip(golden, answers, strict=True)]
    different = next((i for i, same in enumerate(agreements) if not same), None)
    example = ""
    if different is not None:
        asked, answer = golden[different], answers[different]
        example = f"{asked.prompt[:80]!r}: expected {asked.answered.strip()[:80]!r}, got {answer.text.strip()[:80]!r}"
    return judge_agreement(agreements, min_agreement, example)


def judge_failures(preview: StreamSummary) -> CheckResult:
    """No request may fail: the preview has no users who could have overloaded it."""
    failed = preview.num_failed
    reason = f"{failed or 'none'} of {preview.num_requests} streamed requests on preview failed"
    return CheckResult(
        name="failed requests",
        verdict="FAIL" if failed else "PASS",
        blocks=True,
        candidate=failed / preview.num_requests,
        threshold=0.0,
        num_samples=preview.num_requests,
        reason=f"{reason}; {preview.problems[0].reason}" if failed else reason,
    )


def limits(settings: StageSettings) -> list[Limit]:
    known = (
        ("answer latency", "a whole answer", "answer_ms", settings.max_latency_ratio),
        ("time to first token", "the first token", "ttft_ms", settings.max_ttft_ratio),
        ("time between tokens", "each further token", "inter_token_ms", settings.max_inter_token_ratio),
    )
    return [Limit(name, what, metric, ratio) for name, what, metric, ratio in known if ratio is not None]


def look_sizes(settings: StageSettings) -> tuple[int, ...]:
    """After how many pairs each look is, e.g. 30, 60, 90, 120."""
    return look_counts(settings.num_latency_probes, NUM_LOOKS)


def judge_ratios(pairs: Sequence[Pair], settings: StageSettings) -> list[CheckResult]:
    """How many times as long the preview takes, at a look: the geometric mean of the pairs' ratios, with its bounds.

    PASS when the upper bound is below the limit, at any look. FAIL when the lower bound is above it after the last
    pair: a slow minute of the machine is no slow model. Else INCONCLUSIVE. Every check must pass, so PASS needs no
    correction (intersection-union); FAIL has Holm's. `effect`, `low`, `high` and `threshold` of a result are ratio − 1,
    in which 0 is as fast as production.

    Pairs are of the same prompt, moment and machine, so that what else happens there cancels out in their ratio; who
    comes first alternates, so that being first does. What disturbs one colour for some seconds disturbs pairs that
    follow each other: independent are batches of them, so the bounds are Student's over the batches' means of
    logarithms, at levels that hold over all looks.
    Source: Schmeiser 1982, Batch size effects in the analysis of simulation output, Oper. Res. 30, for ten batches;
        Keene 1995, The log transformation is special, Stat. Med. 14; core.means and core.sequential for the bounds.
    """
    sizes = look_sizes(settings)
    seen = tuple(size for size in sizes if size <= len(pairs))
    asked = limits(settings)

    def level(_index: int, left: int) -> float:
        return look_level(ALPHA / left, seen, sizes[-1])

    estimates = [_estimate(pairs, limit, level(0, 1)) for limit in asked]
    beyond = holm([estimate.p_above for estimate in estimates], level) if seen == sizes else set()
    return [
        _result(pairs, limit, estimate, _verdict(estimate, index in beyond, level(0, 1)), sizes[-1])
        for index, (limit, estimate) in enumerate(zip(asked, estimates, strict=True))
    ]


def _estimate(pairs: Sequence[Pair], limit: Limit, alpha: float) -> Estimate:
    logs = [math.log(limit.of(pair.preview) / limit.of(pair.active)) for pair in pairs]
    batches = [str(number * NUM_BATCHES // len(pairs)) for number in range(len(pairs))]
    return clustered_mean(logs, batches, math.log(limit.max_ratio), alpha, POWER)


def _verdict(estimate: Estimate, is_beyond: bool, level: float) -> Verdict:
    if is_beyond:
        return "FAIL"
    return "PASS" if estimate.p_below < level else "INCONCLUSIVE"


def _result(pairs: Sequence[Pair], limit: Limit, estimate: Estimate, verdict: Verdict, num_planned: int) -> CheckResult:
    num_to_decide = estimate.num_to_decide if verdict == "INCONCLUSIVE" else None
    return CheckResult(
        name=limit.name,
        verdict=verdict,
        blocks=True,
        effect=math.exp(estimate.value) - 1,
        low=math.exp(estimate.low) - 1,
        high=math.exp(estimate.high) - 1,
        threshold=limit.max_ratio - 1,
        p_value=estimate.p_below,
        num_samples=len(pairs),
        num_planned=num_planned,
        num_samples_to_decide=num_to_decide,
        reason=_sentence(pairs, limit, estimate, verdict, num_planned),
    )


def _sentence(pairs: Sequence[Pair], limit: Limit, estimate: Estimate, verdict: Verdict, num_planned: int) -> str:
    low, high = f"{math.exp(estimate.low):.2f}", f"{math.exp(estimate.high):.2f}"
    bounds = {
        "PASS": f"bound: at most {high}",
        "FAIL": f"bound: at least {low}",
        "INCONCLUSIVE": f"bounds: {low} to {high}",
    }[verdict]
    preview, active = (
        readable_ms(median(limit.of(timing) for timing in side))
        for side in ([pair.preview for pair in pairs], [pair.active for pair in pairs])
    )
    said = (
        f"{limit.what} takes {math.exp(estimate.value):.2f} times as long as production's ({100 * (1 - ALPHA):g}% "
        f"{bounds}; {limit.max_ratio:g} is allowed), medians {preview} and {active} ms, {len(pairs)} pairs"
    )
    if verdict != "INCONCLUSIVE":
        return said
    if estimate.num_to_decide is None or estimate.num_to_decide <= num_planned:
        return f"{said}; too near the limit to tell"
    return f"{said}; about {estimate.num_to_decide:,} pairs would settle it, the recipe allows {num_planned:,}"
