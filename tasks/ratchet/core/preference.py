"""Which of two models' answers people, or a judge, prefer: what is asked, what was said, and where that is kept."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeInt, ValidationError, model_validator

from ratchet.core.checks import RaterKind
from ratchet.core.contract import Contract, Sha256, digest_json
from ratchet.core.errors import TerminalError
from ratchet.core.refs import FileRef

Choice = Literal["a", "b", "tie"]
CANDIDATE, TIE, BASELINE = 1.0, 0.5, 0.0


class Pair(Contract):
    """Two answers to one sample, without the space around them. `metric_prefers` is 1 where the task's metric is better
    for the candidate, 0 where it is better for the baseline, None where it tells no difference.
    """

    sample_id: str
    prompt: str
    candidate: str
    baseline: str
    metric_prefers: float | None


class Review(Contract):
    """What raters are asked: the samples drawn, in the order of the evaluation report, and those with two answers.

    A sample that is no pair has equal answers and counts as a tie. `sources` are as in the evaluation report.
    """

    contract_version: int = 1
    candidate_sha256: Sha256
    baseline_sha256: Sha256
    task: str
    metric: str
    config_sha256: Sha256
    data_sha256: Sha256
    sample_ids: tuple[str, ...] = Field(min_length=1)
    sources: tuple[str, ...] = ()
    pairs: tuple[Pair, ...]

    def shows_candidate_as_a(self, sample_id: str) -> bool:
        """A coin that lands the same way each time, so that a rater cannot tell the sides by their letter."""
        return digest_json([sample_id, self.candidate_sha256, self.baseline_sha256])[0] < "8"

    def value(self, sample_id: str, choice: Choice) -> float:
        """1 where the candidate is preferred, 0 where the baseline is, 0.5 for a tie."""
        if choice == "tie":
            return TIE
        return CANDIDATE if (choice == "a") == self.shows_candidate_as_a(sample_id) else BASELINE

    def values(self, choices: Mapping[str, Choice | None]) -> tuple[float | None, ...]:
        """Of all samples drawn; None where a pair has no choice."""
        pairs = {pair.sample_id for pair in self.pairs}

        def value(sample_id: str) -> float | None:
            if sample_id not in pairs:
                return TIE
            choice = choices.get(sample_id)
            return self.value(sample_id, choice) if choice else None

        return tuple(map(value, self.sample_ids))


class JudgeRecord(Contract):
    """How far a language model's verdicts can be trusted.

    Of the pairs that it was asked about twice, with the sides swapped: in `num_by_position` its two verdicts did not
    agree, in `num_unreadable` one of them was no verdict; both count as ties. Of the `num_compared` pairs of which the
    task's metric prefers a side, it preferred the same in `num_agreed`.
    """

    prompt_version: str
    prompt_sha256: Sha256
    num_by_position: NonNegativeInt
    num_unreadable: NonNegativeInt
    metric: str
    num_compared: NonNegativeInt
    num_agreed: NonNegativeInt


class PreferenceReport(Contract):
    """One rater's word on one review, a value per sample drawn: 1, 0.5 or 0 as in Review; None: not rated.

    `num_equal` of the samples had equal answers, which nobody was asked about. `judge` is None for people, and where
    there was nothing to ask a judge.
    """

    contract_version: int = 1
    review_sha256: Sha256
    candidate_sha256: Sha256
    baseline_sha256: Sha256
    task: str
    config_sha256: Sha256
    data_sha256: Sha256
    rater_kind: RaterKind
    rater: str = Field(min_length=1)
    sample_ids: tuple[str, ...] = Field(min_length=1)
    values: tuple[float | None, ...]
    sources: tuple[str, ...] = ()
    num_equal: NonNegativeInt
    judge: JudgeRecord | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        num_samples = len(self.sample_ids)
        if len(self.values) != num_samples or (self.sources and len(self.sources) != num_samples):
            raise ValueError(f"{num_samples} samples, {len(self.values)} values and {len(self.sources)} sources")
        if wrong := [value for value in self.values if value not in (CANDIDATE, TIE, BASELINE, None)]:
            raise ValueError(f"a value is {wrong[0]}, expected 1, 0.5, 0 or null")
        if self.judge and self.rater_kind != "judge":
            raise ValueError("only a judge's report says what the judge was asked")
        return self

    @property
    def num_pairs(self) -> int:
        return len(self.sample_ids) - self.num_equal

    @property
    def num_unrated(self) -> int:
        return self.values.count(None)


class BadPreferences(TerminalError, ValueError):
    """A stored preference report that cannot be read, or that is about other models."""

    code = "GATE_MISSING_EVIDENCE"


def parse_preferences(data: bytes) -> PreferenceReport:
    """Raises BadPreferences, naming the field."""
    try:
        return PreferenceReport.model_validate_json(data)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors()[:3])
        raise BadPreferences(
            f"{len(data):,} bytes are no preference report: {problems}; rate the pairs again"
        ) from error


class Rated(Contract):
    """One record of the journal of a candidate's and a baseline's ratings."""

    schema_version: Literal[1] = 1
    seq: NonNegativeInt = 0
    task: str
    rater_kind: RaterKind
    rater: str
    report: FileRef
    at: AwareDatetime
    by: str


def newest(records: Sequence[Rated]) -> tuple[FileRef, ...]:
    """The last report of each task and kind of rater."""
    found = {(record.task, record.rater_kind): record.report for record in records}
    return tuple(found[key] for key in sorted(found))
