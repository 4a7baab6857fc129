"""report: all evidence of one release on one page; its digest is what is approved."""

from typing import Any, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from ratchet.core.checks import CheckResult, Verdict
from ratchet.core.contract import Contract, Name, Sha256, digest_json
from ratchet.core.costs import Forecast, Rates, StepWork
from ratchet.core.evaluation import Score
from ratchet.core.latency import StreamSummary
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.serving import Lane


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
    num_planted: NonNegativeInt
    num_test: NonNegativeInt
    num_quarantined: NonNegativeInt
    num_labels: NonNegativeInt
    receipt: FileRef


class MeasuringSummary(Contract):
    """How many of the samples the candidate was asked before the answer was known."""

    num_samples: NonNegativeInt
    num_measured: NonNegativeInt


class ServingSummary(Contract):
    """`preview` and `active`: what stage's load probe saw of the candidate and of production."""

    colour: str
    ready_seconds: float
    preview: StreamSummary
    active: StreamSummary
    tflite_bytes: int
    litertlm_bytes: int


class StepCode(Contract):
    """`lock_sha256` is of the packages in the step's image."""

    revision: PositiveInt
    lock_sha256: Sha256


class Code(Contract):
    """The product's version, and the steps that make a model and its bundle."""

    version: str
    steps: dict[str, StepCode]


class Origin(Contract):
    """What a model was made of, but for the data. It is kept with the decision, for later releases to compare with.

    `recipe` is a recipes.Recipe as plain data.
    """

    base: FolderRef
    recipe: dict[str, Any]
    code: Code


class RunWork(Contract):
    """What this run did. The first of `tasks` is resolve, which every run does anew: older work was found.

    Without `rates` no money is shown. `forecast` is resolve's. `over_budget`: why it runs in spite of its budget.
    """

    rates: Rates | None = None
    tasks: tuple[StepWork, ...] = Field(min_length=1)
    forecast: Forecast = Forecast()
    over_budget: str = ""


class ReportInputs(Contract):
    """`baseline_recipe_sha256`: what production was tuned by; `baseline_record_sha256`: the decision record by which
    it went live. Both are empty for the untuned base.

    `conversion_blocks` is the recipe's word on whether a failed conversion forbids the promotion.

    `prompts` is prepare's test split: the reports name samples by id, the page shows what was asked.

    `lane`: would the candidate serve as its merged model, or as `adapter` on `origin.base`?

    `shares`: percent of the users who try the candidate first, one after the other; 0 copies their requests.

    `work` is shown and not bound (see record.py); None shows a page without what the run cost.
    """

    contract_version: int = 5
    line: Name
    release_id: str
    recipe_sha256: Sha256
    origin: Origin
    candidate: FolderRef
    baseline: FolderRef
    baseline_release_id: str
    baseline_recipe_sha256: str
    baseline_record_sha256: str
    adapter: FolderRef
    lane: Lane = "merged"
    bundle: FolderRef
    dataset: FileRef
    train: FileRef
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
    shares: tuple[NonNegativeInt, ...] = ()
    work: RunWork | None = None

    @model_validator(mode="after")
    def _recipe_is_the_one_that_is_approved(self) -> Self:
        if (actual := digest_json(self.origin.recipe)) != self.recipe_sha256:
            raise ValueError(f"origin.recipe has the digest {actual}, expected recipe_sha256, {self.recipe_sha256}")
        return self


class ReportOutputs(Contract):
    """`verdict` joins gate, conversion (if it blocks) and stage. `summary` is Markdown for the approval form.

    `record` is a report.record.DecisionRecord: its digest is what is approved, and it names the page's.
    """

    contract_version: int = 1
    page: FileRef
    record: FileRef
    verdict: Verdict
    summary: str
