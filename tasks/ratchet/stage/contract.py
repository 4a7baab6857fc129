"""stage: the candidate is loaded on the preview colour and proves itself there, without users."""

from typing import Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from ratchet.core.checks import CheckResult, Verdict
from ratchet.core.contract import Contract, Name
from ratchet.core.latency import StreamSummary
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import Colour
from ratchet.core.serving import ServedParts, ServingSettings


class StageSettings(Contract):
    """How the candidate must prove itself beside production.

    The limits are on the mean ratio preview / active over pairs of answers, one of each colour to the same prompt, so
    that a busy machine cancels out: of the whole answer, of the time to its first token, and of the time between its
    tokens. Without a limit the last two are only told. `num_latency_probes` is how many pairs there are at most: asking
    ends when they prove that every limit is kept.
    """

    ready_timeout_seconds: PositiveInt = 420
    max_answer_tokens: PositiveInt = 48
    num_golden_prompts: PositiveInt = 12
    min_golden_agreement: float = Field(default=0.9, gt=0.0, le=1.0)
    num_latency_probes: int = Field(default=120, ge=6)
    max_latency_ratio: PositiveFloat = 2.0
    max_ttft_ratio: PositiveFloat | None = None
    max_inter_token_ratio: PositiveFloat | None = None


class StageInputs(Contract):
    """`prompts` is prepare's test split; the golden prompts are its first rows.

    `candidate_report` says what the evaluated model answered, sample by sample; `task` names the split's task in it:
    the served model must answer its golden prompts as well as the evaluated one did. `parts` are loaded instead of
    `model` in the adapter lane, and must answer as it did.
    """

    contract_version: int = 4
    line: Name
    release_id: str
    model: FolderRef
    prompts: FileRef
    candidate_report: FileRef
    task: Name
    settings: StageSettings
    serving: ServingSettings = ServingSettings()
    parts: ServedParts | None = None

    @model_validator(mode="after")
    def _is_of_one_lane(self) -> Self:
        self.serving.check_lane(self.parts)
        return self


class StageOutputs(Contract):
    """`preview` and `active`: streamed answers of 16 tokens, asked of both colours in turn; the latencies are their
    medians in milliseconds, 0 where the preview answered nothing.

    With verdict FAIL the candidate is unloaded already.
    """

    contract_version: int = 2
    colour: Colour
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    ready_seconds: NonNegativeFloat
    preview_latency_ms: NonNegativeFloat
    active_latency_ms: NonNegativeFloat
    preview: StreamSummary
    active: StreamSummary
