"""What a check found, as a sentence for a release manager."""

from ratchet.core.checks import Verdict
from ratchet.core.estimate import Estimate
from ratchet.core.questions import Question


def sentence(question: Question, estimate: Estimate, verdict: Verdict, alpha: float) -> str:
    """E.g. "intent exact_match rose 41.2 points (95% bound: at least +38.0; better than +0.0 is asked), n = 500"."""
    check = question.check
    bounds = _bounds(question, estimate, verdict)
    where = f" of {question.slice_name!r}" if question.slice_name is not None else ""
    said = (
        f"{check.task} {check.metric}{where} {_found(question, estimate)} "
        f"({100 * (1 - alpha):g}% {bounds}; {_asked(question)}), {_how_many(question)}"
    )
    return said if verdict != "INCONCLUSIVE" else f"{said}; {_what_would_settle(question, estimate)}"


def _found(question: Question, estimate: Estimate) -> str:
    if question.baseline is None:
        return f"is {_show(question, estimate.value)}"
    if estimate.value == 0:
        return "did not change"
    return f"{'rose' if estimate.value > 0 else 'fell'} {_amount(question, abs(estimate.value))}"


def _asked(question: Question) -> str:
    limit = _show(question, question.threshold)
    if question.baseline is None:
        return f"{'at least' if question.candidate.higher_is_better else 'at most'} {limit} is asked"
    return f"better than {limit} is asked" if question.check.kind == "improvement" else f"{limit} is allowed"


def _bounds(question: Question, estimate: Estimate, verdict: Verdict) -> str:
    if verdict == "INCONCLUSIVE":
        return f"bounds: {_show(question, estimate.low)} to {_show(question, estimate.high)}"
    if (verdict == "PASS") == question.candidate.higher_is_better:
        return f"bound: at least {_show(question, estimate.low)}"
    return f"bound: at most {_show(question, estimate.high)}"


def _how_many(question: Question) -> str:
    num_samples = question.num_samples
    if not question.looks or question.looks[-1] == question.num_planned:
        return f"n = {num_samples:,}"
    if question.slice_name is not None:
        return f"n = {num_samples:,} so far"
    return f"n = {num_samples:,} of {question.num_planned:,}"


def _what_would_settle(question: Question, estimate: Estimate) -> str:
    if estimate.num_to_decide is None:
        return "it sits on the limit"
    if estimate.num_to_decide <= question.num_samples:
        better = 1 if question.candidate.higher_is_better else -1
        if better * (estimate.value - question.threshold) > 0:
            return "just short of proof: a few more samples would settle it"
        # Enough for this check alone, too few for one among several.
        return "beyond the limit, but by less than so many blocking checks ask for"
    return (
        f"{question.num_samples:,} samples can tell {_amount(question, estimate.detectable)} from the limit, "
        f"about {estimate.num_to_decide:,} would settle this"
    )


def _show(question: Question, value: float) -> str:
    if question.baseline is None:
        return f"{100 * value:.1f}%" if question.is_share else f"{value:.4g}"
    return f"{100 * value:+.1f}" if question.is_share else f"{value:+.4g}"


def _amount(question: Question, value: float) -> str:
    return f"{100 * value:.1f} points" if question.is_share else f"{value:.4g}"
