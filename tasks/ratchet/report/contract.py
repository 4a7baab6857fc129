"""report: all evidence of one release on one page; its digest is what is approved."""

from pydantic import NonNegativeInt

from ratchet.core.checks import CheckResult, Verdict
from ratchet.core.contract import Contract, Name, Sha256
from ratchet.core.evaluation import Score
from ratchet.core.refs import FileRef, FolderRef


class TrainingSummary(Contract):
    num_steps: int
    first_loss: float
    last_loss: float
    validation_loss: float
    tokens_per_second: float
    merge_max_logit_difference: float


class DataSummary(Contract):
    """Counts of the dataset version behind this candidate; `receipt` is validate's."""

    num_rows: NonNegativeInt
    num_new_rows: NonNegativeInt
    num_train: NonNegativeInt
    num_replay: NonNegativeInt
    num_test: NonNegativeInt
    num_quarantined: NonNegativeInt
    num_labels: NonNegativeInt
    receipt: FileRef


class MeasuringSummary(Contract):
    """How many of the samples the candidate was asked before the answer was known."""

    num_samples: NonNegativeInt
    num_measured: NonNegativeInt


class ServingSummary(Contract):
    colour: str
    ready_seconds: float
    preview_latency_ms: float
    active_latency_ms: float
    tflite_bytes: int
    litertlm_bytes: int


class ReportInputs(Contract):
    """`baseline_recipe_sha256`: what production was tuned by; empty for the untuned base.

    `conversion_blocks` is the recipe's word on whether a failed conversion forbids the promotion.

    `prompts` is prepare's test split: the reports name samples by id, the page shows what was asked.
    """

    contract_version: int = 2
    line: Name
    release_id: str
    recipe_sha256: Sha256
    candidate: FolderRef
    baseline: FolderRef
    baseline_release_id: str
    baseline_recipe_sha256: str
    bundle: FolderRef
    dataset: FileRef
    prompts: FileRef
    training_log: FileRef
    candidate_report: FileRef
    baseline_report: FileRef
    candidate_scores: tuple[Score, ...]
    baseline_scores: tuple[Score, ...]
    gate_verdict: Verdict
    gate_checks: tuple[CheckResult, ...]
    conversion_verdict: Verdict
    conversion_checks: tuple[CheckResult, ...]
    conversion_blocks: bool
    stage_verdict: Verdict
    stage_checks: tuple[CheckResult, ...]
    data: DataSummary
    training: TrainingSummary
    measuring: MeasuringSummary
    serving: ServingSummary


class ReportOutputs(Contract):
    """`verdict` joins gate, conversion (if it blocks) and stage. `summary` is Markdown for the approval form.

    `record` is a report.record.DecisionRecord: its digest is what is approved, and it names the page's.
    """

    contract_version: int = 1
    page: FileRef
    record: FileRef
    verdict: Verdict
    summary: str
