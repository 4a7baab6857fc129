"""stage: the candidate is loaded on the preview colour and proves itself there, without users."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ratchet.core.checks import CheckResult, Verdict
from ratchet.core.contract import Contract, Name
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import Colour
from ratchet.core.serving import ServingSettings


class StageSettings(Contract):
    """`max_latency_ratio` is preview / active, medians of interleaved probes, so that a busy machine cancels out."""

    ready_timeout_seconds: PositiveInt = 420
    max_answer_tokens: PositiveInt = 48
    num_golden_prompts: PositiveInt = 12
    min_golden_agreement: float = Field(default=0.9, gt=0.0, le=1.0)
    num_latency_probes: PositiveInt = 20
    max_latency_ratio: PositiveFloat = 2.0


class StageInputs(Contract):
    """`prompts` is prepare's test split; the golden prompts are its first rows.

    `candidate_report` says what the evaluated model answered, sample by sample; `task` names the split's task in it:
    the served model must answer its golden prompts as well as the evaluated one did.
    """

    contract_version: int = 2
    line: Name
    release_id: str
    model: FolderRef
    prompts: FileRef
    candidate_report: FileRef
    task: Name
    settings: StageSettings
    serving: ServingSettings = ServingSettings()


class StageOutputs(Contract):
    """Latencies are medians over answers of 16 tokens, in milliseconds, asked of both colours in turn.

    With verdict FAIL the candidate is unloaded already.
    """

    contract_version: int = 1
    colour: Colour
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    ready_seconds: NonNegativeFloat
    preview_latency_ms: NonNegativeFloat
    active_latency_ms: NonNegativeFloat
