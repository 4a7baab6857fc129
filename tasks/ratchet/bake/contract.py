"""bake: watch the new production; a breach puts the old one back."""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from ratchet.core.checks import Verdict
from ratchet.core.contract import Contract, Name
from ratchet.core.refs import FileRef


class BakeSettings(Contract):
    """`max_latency_ratio` is now / when staged. With fewer than `min_requests` the watch goes on up to three times as
    long; still fewer is INCONCLUSIVE, and the new production stays.
    """

    duration_seconds: PositiveFloat = 10.0
    probe_interval_seconds: PositiveFloat = 0.25
    min_requests: PositiveInt = 20
    max_answer_tokens: PositiveInt = 48
    max_error_rate: float = Field(default=0.02, ge=0.0, le=1.0)
    max_latency_ratio: PositiveFloat = 3.0
    min_golden_agreement: float = Field(default=0.9, gt=0.0, le=1.0)


class BakeInputs(Contract):
    """`prompts` is prepare's test split; probes go through the router, as users do.

    `candidate_report` and `task` are those that the release was staged with, `staged_latency_ms` stage's
    `preview_latency_ms`.
    """

    contract_version: int = 1
    line: Name
    release_id: str
    prompts: FileRef
    candidate_report: FileRef
    task: Name
    staged_latency_ms: PositiveFloat
    settings: BakeSettings


class BakeOutputs(Contract):
    """`rolled_back`: the previous release has the users again. `latency_ms`: median of the timed probes, 0 if none."""

    contract_version: int = 1
    verdict: Verdict
    rolled_back: bool
    num_requests: NonNegativeInt
    num_failed: NonNegativeInt
    latency_ms: float
    reason: str
