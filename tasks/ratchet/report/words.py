"""What the verdict means, in the words that page, approval form and record share."""

from dataclasses import dataclass

from ratchet.core.checks import Verdict, worth_showing
from ratchet.core.evaluation import Score
from ratchet.report.contract import ReportInputs
from ratchet.report.judge import decisive_checks


@dataclass(frozen=True)
class ScorePair:
    """One metric of both models; `is_share` when both lie in [0, 1], so that they read as percentages."""

    task: str
    metric: str
    candidate: Score
    baseline: Score | None

    @property
    def name(self) -> str:
        return f"{self.task} {self.metric}"

    @property
    def is_share(self) -> bool:
        return all(0 <= score.value <= 1 for score in (self.candidate, self.baseline) if score)

    def show(self, value: float) -> str:
        return f"{100 * value:.1f}%" if self.is_share else f"{value:.4g}"


def score_pairs(inputs: ReportInputs) -> tuple[ScorePair, ...]:
    before = {(score.task, score.metric): score for score in inputs.baseline_scores}
    return tuple(
        ScorePair(score.task, score.metric, score, before.get((score.task, score.metric)))
        for score in inputs.candidate_scores
    )


def recommendation(inputs: ReportInputs, verdict: Verdict) -> str:
    """One sentence: what to do and why."""
    checks = decisive_checks(inputs)
    if verdict == "PASS":
        return f"Approve: all {len(checks)} blocking checks passed, and {_headline(inputs)}."
    named = [c for c in checks if c.verdict == verdict or (verdict == "FAIL" and c.is_safety and c.verdict != "PASS")]
    if not named:  # a part may be worse than its checks
        found, names = "a part of the evidence says so", "see the parts below"
    else:
        # What was found, without its bounds: they stand in the table.
        found, names = named[0].reason.split(" (")[0].split(";")[0], ", ".join(check.name for check in named)
    if verdict == "FAIL" and named and named[0].verdict == "INCONCLUSIVE":
        return f"Reject: not proved safe: {found}; open: {names}."
    if verdict == "FAIL":
        return f"Reject: {found}; failed: {names}."
    return f"Not proved either way: {found}; open: {names}; approving is an override and needs a written reason."


def notes(inputs: ReportInputs) -> tuple[str, ...]:
    """What the verdict does not say and the approver must know."""
    found = []
    if inputs.conversion_verdict != "PASS":
        found.append(
            f"The LiteRT bundle's parity is {inputs.conversion_verdict}: it is not published"
            + ("." if inputs.conversion_blocks else ", and the recipe lets the release go on without it.")
        )
    advisory = [c for c in worth_showing(inputs.gate_checks) if not (c.blocks or c.guards) and c.verdict != "PASS"]
    if advisory:
        found.append(f"Checks that do not block and did not pass: {', '.join(check.name for check in advisory)}.")
    return tuple(found)


def _headline(inputs: ReportInputs) -> str:
    pairs = score_pairs(inputs)
    pair = next((pair for pair in pairs if pair.baseline), pairs[0])
    now = pair.show(pair.candidate.value)
    if pair.baseline is None:
        return f"{pair.name} is {now}"
    return f"{pair.name} goes from {pair.show(pair.baseline.value)} to {now}"


def move(inputs: ReportInputs) -> str:
    """How the users get to the candidate: "moves all users at once", or share by share."""
    if not inputs.shares:
        return "moves all users at once"
    tried = [f"{share}%" if share else "copies of their requests" for share in inputs.shares]
    return f"tries it with {', then '.join(tried)} of the users, and then moves all of them,"
