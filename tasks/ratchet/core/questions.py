"""A check and the samples that answer it."""

from dataclasses import dataclass

from ratchet.core.checks import Check
from ratchet.core.estimate import Estimate, more_careful
from ratchet.core.evaluation import MetricSamples
from ratchet.core.means import clustered_mean, mean
from ratchet.core.paired import Pairs, paired_proportions, proportion
from ratchet.core.sequential import look_level

# Both by tests/benchmarks/gate.py, "Metrics that are not 0 and 1".
MIN_SAMPLES_OF_A_MEAN = 100
MIN_SOURCES = 40


@dataclass(frozen=True)
class Question:
    """Only a check with a floor has no baseline.

    `sources`, one per sample: samples that share one are not independent. `slice_name`: the slice this is asked of.
    `looks`: how many samples of the task each look had seen, up to this one; `num_planned`: how many there are. Without
    them, this is the only look, at everything. `noise` is that of measuring, from an A/A run.
    """

    check: Check
    candidate: MetricSamples
    baseline: MetricSamples | None = None
    sources: tuple[str, ...] = ()
    slice_name: str | None = None
    looks: tuple[int, ...] = ()
    num_planned: int | None = None
    noise: float | None = None
    # Said for a whole metric: what is judged as a share at one look must not be judged as a mean at the next.
    share: bool | None = None

    @property
    def name(self) -> str:
        return self.check.name if self.slice_name is None else f"{self.check.name}: {self.slice_name}"

    @property
    def blocks(self) -> bool:
        return self.check.blocks and self.slice_name is None

    @property
    def guards(self) -> bool:
        return self.check.blocks and self.slice_name is not None

    @property
    def threshold(self) -> float:
        """What the effect, or the score of a floor check, must be on the good side of."""
        if self.check.floor is not None:
            return self.check.floor
        better = 1 if self.candidate.higher_is_better else -1
        return better * (self.check.margin if self.check.kind == "improvement" else -self.check.margin)

    @property
    def num_samples(self) -> int:
        return len(self.candidate.values)

    @property
    def sides(self) -> tuple[MetricSamples, ...]:
        return (self.candidate, self.baseline) if self.baseline else (self.candidate,)

    @property
    def is_share(self) -> bool:
        """Are all values 0 or 1, so that differences are percentage points?"""
        if self.share is not None:
            return self.share
        return all(value in (0.0, 1.0) for side in self.sides for value in side.measured)

    @property
    def num_missing(self) -> int:
        """Samples that lack a value on some side."""
        return sum(None in values for values in zip(*(side.values for side in self.sides), strict=True))

    @property
    def judged_looks(self) -> tuple[int, ...]:
        """The looks that are judged at all: a mean of few samples is not near enough to normal far out in its tails."""
        if self.is_share:
            return self.looks
        return tuple(count for count in self.looks if count >= MIN_SAMPLES_OF_A_MEAN or count == self.num_planned)

    def level(self, alpha: float) -> float:
        """How small a p-value must be at this look, for an error rate of `alpha` over all of them."""
        looks = self.judged_looks
        return look_level(alpha, looks, self.num_planned or looks[-1]) if looks else alpha

    def lacking(self) -> str:
        """Why the samples are no grounds to judge; empty when they are."""
        if self.num_missing:
            return f"no value for {self.num_missing} of {self.num_samples} samples"
        if self.sources and (num_sources := len(set(self.sources))) < MIN_SOURCES:
            return f"{num_sources} sources of samples, and at least {MIN_SOURCES} are asked"
        return "" if self.is_share else self._lacking_for_a_mean()

    def _lacking_for_a_mean(self) -> str:
        if self.num_samples < 2:
            return "one sample"
        if self.looks and self.looks[-1] not in self.judged_looks:
            return f"{self.num_samples} samples so far"
        if self.slice_name is not None and self.num_samples < MIN_SAMPLES_OF_A_MEAN:
            return f"{self.num_samples} samples, and a mean asks for {MIN_SAMPLES_OF_A_MEAN}"
        return ""

    def estimate(self, alpha: float, power: float) -> Estimate:
        """Of the effect, or of the score for a floor check, at this look's level."""
        level, ours = self.level(alpha), self.candidate.measured
        values = ours
        if self.baseline:
            values = tuple(mine - theirs for mine, theirs in zip(ours, self.baseline.measured, strict=True))
        if not self.sources:
            return self._independent(values, level, power)
        # Where a source's samples all agree, only the sources count; so the more careful of both ways to see it.
        one_each = tuple(dict(zip(self.sources, values, strict=True)).values())
        clustered = clustered_mean(values, self.sources, self.threshold, level, power)
        return (
            more_careful(clustered, self._independent(one_each, level, power)) if len(set(values)) == 1 else clustered
        )

    def _independent(self, values: tuple[float, ...], level: float, power: float) -> Estimate:
        return self._share(values, level, power) if self.is_share else mean(values, self.threshold, level, power)

    def _share(self, values: tuple[float, ...], level: float, power: float) -> Estimate:
        if self.baseline is None:
            return proportion(values.count(1.0), len(values), self.threshold, level, power)
        pairs = Pairs(values.count(1.0), values.count(-1.0), len(values))
        return paired_proportions(pairs, self.threshold, level, power)
