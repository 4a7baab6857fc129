"""One rule on a metric, and what came of it: the words that gate, convert, stage and report share."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ratchet.core.contract import Contract

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]
CheckKind = Literal["floor", "no_regression", "improvement", "safety"]
RaterKind = Literal["people", "judge"]


class Check(Contract):
    """One row of a gate file.

    `margin` and `floor` are in the metric's own units; 0.01 is one accuracy point. `margin` is what no_regression and
    safety may lose and what improvement must gain at least. Where lower is better, `floor` is a ceiling.
    `better`, if said, must be what the task says of the metric.
    A check that does not block only reports. A `safety` check always blocks, and nobody can override it.

    `by` names a slicing of the task's samples: the check is asked of every slice that has `min_samples`. A slice is too
    small to prove much, so it does not have to pass; it blocks when it fails.
    """

    name: str = Field(min_length=1)
    task: str
    metric: str
    kind: CheckKind
    margin: float = Field(default=0.0, ge=0.0)
    floor: float | None = None
    blocks: bool = True
    better: Literal["higher", "lower"] | None = None
    by: str | None = None
    min_samples: PositiveInt | None = None

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        if self.kind == "floor" and (self.floor is None or self.margin):
            raise ValueError("a floor check has `floor` and no `margin`")
        if self.kind not in ("floor", "safety") and self.floor is not None:
            raise ValueError(f"`floor` belongs to floor and safety checks; {self.kind} has `margin`")
        if self.floor is not None and self.margin:
            raise ValueError("a check has `floor` or `margin`, not both")
        if self.kind == "safety" and not self.blocks:
            raise ValueError("a safety check always blocks; call it no_regression if it need not")
        if self.kind in ("no_regression", "safety") and self.floor is None and not self.margin:
            raise ValueError(f"{self.kind} needs a `margin`: with none, not even an equal model could pass")
        if (self.by is None) != (self.min_samples is None):
            raise ValueError("`by` and `min_samples` belong together")
        if self.kind == "safety" and self.by is not None:
            raise ValueError("a safety check must pass, which a slice is too small for: leave `by` out")
        return self

    @property
    def is_absolute(self) -> bool:
        """Is the candidate's own score judged, not its difference to the baseline's?"""
        return self.floor is not None


class PreferenceCheck(Contract):
    """One row of a gate file about which of two answers is the better one, in the eyes of people or of a judge.

    `margin`: how far below one half the mean preference for the candidate may be, in 0 … 1; a tie counts one half.
    """

    name: str = Field(min_length=1)
    task: str
    rater: RaterKind
    margin: float = Field(default=0.05, gt=0.0, lt=0.5)
    blocks: bool = True

    @property
    def threshold(self) -> float:
        """What the mean preference must be above."""
        return 0.5 - self.margin


class GatePolicy(Contract):
    """All checks of one recipe.

    `alpha` is the one-sided error rate, over all looks together; `power` is what the sample sizes were planned for.
    Samples are measured in `num_looks` equal parts, until the answer is known; 1 measures everything at once.
    `preferences` are judged from ratings, in one look: nothing is measured for them.
    """

    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    power: float = Field(default=0.8, gt=0.0, lt=1.0)
    num_looks: int = Field(default=10, ge=1, le=20)
    checks: tuple[Check, ...] = Field(min_length=1)
    preferences: tuple[PreferenceCheck, ...] = ()

    @property
    def measured_share(self) -> float:
        """Of α, what FAIL may spend on checks that are measured; ratings have the rest.

        It follows from the policy alone: while `evaluate` measures, nobody knows yet what the ratings will say.
        """
        return 0.5 if any(check.blocks for check in self.preferences) else 1.0

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        names = [*(check.name for check in self.checks), *(check.name for check in self.preferences)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"checks share a name: {twice}")
        return self


class CheckResult(Contract):
    """What one check found.

    `effect` is candidate − baseline, None for a floor check. `low` and `high` are one-sided 1−α bounds of it (of
    the candidate's own score for a floor check) that hold at all looks together; `threshold`, in the same units, is
    what they are compared with. `p_value` is that of "not good enough": below `level` means PASS.

    `blocks`: the whole passes only if this passes. `guards`: the whole fails if this fails. `slice_name`: of which
    slice this was asked.
    `num_planned`: samples there are; `num_samples` of them were measured when this was settled. `detectable`: how far
    from the threshold the truth must be for so many samples to tell, with the planned power. `noise`: by how much a
    sample's value differs on average when the baseline is measured twice, in other batches (an A/A run).
    """

    name: str
    verdict: Verdict
    blocks: bool
    guards: bool = False
    slice_name: str | None = None
    is_safety: bool = False
    candidate: float | None = None
    baseline: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    level: float | None = None
    num_samples: int
    num_planned: int | None = None
    num_samples_to_decide: int | None = None
    detectable: float | None = None
    noise: float | None = None
    reason: str


def join(results: Sequence[CheckResult]) -> Verdict:
    """FAIL if a check that blocks or guards fails, or one of safety does not pass; PASS if all that block pass.

    Where none blocks, nothing is proved: INCONCLUSIVE.
    """
    failed = any(result.verdict == "FAIL" and (result.blocks or result.guards) for result in results)
    if failed or any(result.is_safety and result.verdict != "PASS" for result in results):
        return "FAIL"
    return "PASS" if {result.verdict for result in results if result.blocks} == {"PASS"} else "INCONCLUSIVE"


def worth_showing(results: Sequence[CheckResult]) -> list[CheckResult]:
    """All but the slices that did not fail: there may be hundreds of them."""
    return [result for result in results if result.slice_name is None or result.verdict == "FAIL"]
