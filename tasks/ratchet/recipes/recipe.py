"""The Recipe: everything that makes one model line, typed, by value, and the same on a laptop and on a cluster."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ratchet.bake.contract import BakeSettings
from ratchet.convert.contract import ConvertSettings
from ratchet.core.adapter_folder import MAX_RANK
from ratchet.core.budget import Budget
from ratchet.core.checks import GatePolicy
from ratchet.core.contract import Contract, Name, Sha256, digest_json
from ratchet.core.quality import Kpi
from ratchet.core.refs import FileRef
from ratchet.core.serving import ServingSettings
from ratchet.drift.contract import DriftSettings
from ratchet.finetune.contract import QloraSettings
from ratchet.prepare.contract import Canaries, SplitPolicy
from ratchet.promote.contract import CanarySettings
from ratchet.recipes.resources import TINY, PodResources
from ratchet.recipes.reviewed import reviewed
from ratchet.stage.contract import StageSettings
from ratchet.validate.contract import DataRules, EvaluationSet


class Task(Contract):
    """One lm-eval task of a recipe. Without `data` it asks the recipe's own test split, or `planted`, its canaries."""

    name: Name
    config_yaml: str
    data: FileRef | None = None
    max_samples: PositiveInt | None = None
    planted: bool = False

    def asks(self, test_split: Any, canaries: Any) -> dict[str, Any]:
        """The fields of evaluate's EvalTask; `test_split` and `canaries` are FileRefs, or promises of them."""
        return {**dict(self), "data": self.data or (canaries if self.planted else test_split)}

    @property
    def asks_the_test_split(self) -> bool:
        return self.data is None and not self.planted

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if self.data and self.planted:
            raise ValueError(f"task {self.name} has data of its own and is planted: expected one of the two")
        return self


class Recipe(Contract):
    """One model line. One recipe, one release DAG.

    `prompt` has one field, {text}. `replay_exclude` is the canary's data: replay rows never repeat its questions.
    `canaries`, not to be confused with `canary`, are made-up secrets in the training set (docs/canaries.md).
    With `two_people` whoever started a run may not approve it. Without an answer the approvers are reminded, then
    `escalate_to` are told too, then the release is rejected; those hours count from the request. Without `canary` all
    users move to an approved candidate at once.
    `schedule`, `drill_schedule`, `monitor_schedule`, `drift_schedule` and `quality_schedule` are cron expressions in
    UTC: when a release begins, when a roll-back is rehearsed, when production and open requests for approval are looked
    at, when what users ask is, and when what they are answered is and `kpis` are asked for. Without `drift` the base
    model compares neither uploads nor what users ask with the rows before.
    With `release_on_data` one begins too when the DAG intake_<line> has made a version; `ratchet submit` starts none by
    itself, since whoever types it can say `--release`. With `release_on_drift` one begins when users ask otherwise than
    the dataset does, or when the truth says that fewer answers are right than the gate measured. With too few new rows
    (`min_new_examples`) it is skipped.
    With a `budget`, and prices in ratchet.toml, a release that is foreseen to cost more does not begin.
    `on_inconclusive="ask"` sends an undecided gate to the approver as an override with a written reason.
    """

    line: Name
    owner: str
    description: str
    dataset: Name
    base: Name
    prompt: str
    rules: DataRules
    split: SplitPolicy = SplitPolicy()
    replay_share: float = Field(default=0.4, ge=0.0, lt=1.0)
    replay_exclude: FileRef
    max_seq_len_tokens: PositiveInt = 256
    max_examples_per_label: PositiveInt | None = None
    canaries: Canaries | None = None
    min_new_examples: PositiveInt = 50
    method: QloraSettings = QloraSettings()
    tasks: tuple[Task, ...] = Field(min_length=1)
    gate: GatePolicy
    eval_engine: Literal["transformers", "vllm"] = "transformers"
    eval_batch_size: PositiveInt = 32
    on_inconclusive: Literal["stop", "ask"] = "stop"
    conversion: ConvertSettings = ConvertSettings()
    conversion_blocks: bool = True
    stage: StageSettings = StageSettings()
    canary: CanarySettings | None = None
    bake: BakeSettings = BakeSettings()
    serving: ServingSettings = ServingSettings()
    schedule: str = "0 6 * * 1"
    release_on_data: bool = True
    release_on_drift: bool = False
    drift: DriftSettings | None = DriftSettings()
    drift_schedule: str = "0 4 * * *"
    quality_schedule: str = "30 4 * * *"
    kpis: tuple[Kpi, ...] = ()
    drill_schedule: str = "0 5 * * 3"
    monitor_schedule: str = "*/15 * * * *"
    approvers: tuple[str, ...] = Field(min_length=1)
    escalate_to: tuple[str, ...] = ()
    approval_reminder_hours: PositiveFloat = 24.0
    approval_escalation_hours: PositiveFloat = 48.0
    approval_timeout_hours: PositiveFloat = 72.0
    approval_valid_hours: PositiveInt = 168
    two_people: bool = False
    budget: Budget | None = None
    seed: int = 0
    pods: dict[str, PodResources] = TINY

    @model_validator(mode="after")
    def _first_reminded_then_escalated_then_rejected(self) -> Self:
        reminder, escalation, timeout = (
            self.approval_reminder_hours,
            self.approval_escalation_hours,
            self.approval_timeout_hours,
        )
        if not reminder < escalation < timeout:
            raise ValueError(
                f"people are reminded, then others are told, then the release is rejected: expected "
                f"approval_reminder_hours < approval_escalation_hours < approval_timeout_hours, got {reminder:g}, "
                f"{escalation:g}, {timeout:g}"
            )
        return self

    @model_validator(mode="after")
    def _canaries_are_planted_and_measured(self) -> Self:
        asked = sorted(task.name for task in self.tasks if task.planted)
        if bool(asked) != bool(self.canaries):
            raise ValueError(
                f"a recipe plants canaries and measures them, or does neither: got canaries = {self.canaries!r} and "
                f"the planted tasks {asked}; docs/canaries.md has both"
            )
        return self

    @model_validator(mode="after")
    def _adapter_fits_the_engine(self) -> Self:
        if self.serving.lane == "adapter" and self.method.r > MAX_RANK:
            raise ValueError(
                f'serving.lane is "adapter", but the engine takes ranks up to {MAX_RANK}, got method.r = '
                f'{self.method.r}: lower it, or serve the line merged (lane="merged")'
            )
        return self

    def parts(self, adapter: Any, base: Any) -> dict[str, Any] | None:
        """What the engine loads instead of the merged model, if the recipe wants that; FolderRefs, or promises."""
        return {"adapter": adapter, "base": base} if self.serving.lane == "adapter" else None

    def pod_of(self, step: str) -> PodResources:
        return self.pods.get(step, PodResources())

    def receiving(
        self,
        upload: Any,
        file_name: Any,
        previous: Any,
        usual_shifts: Any,
        text_column: Any = None,
        label_column: Any = None,
        base: Any = None,
    ) -> dict[str, Any]:
        """The inputs of validate for an upload that would be added to the rows of `previous`.

        `base`: a FolderRef, or a promise of one; None while the store has none, and no tokens are counted.
        """
        return {
            "upload": upload,
            "file_name": file_name,
            "text_column": text_column,
            "label_column": label_column,
            "previous": previous,
            "usual_shifts": usual_shifts,
            "evaluation_sets": self.evaluation_sets,
            "rules": self.rules,
            **self._length(base),
        }

    def for_reviewed_rows(self) -> "Recipe":
        """As it receives rows that a person has looked at one by one."""
        return self.model_copy(update={"rules": reviewed(self.rules)})

    def drifting(self, reference: Any, current: Any, base: Any, usual: Any) -> dict[str, Any]:
        """The inputs of drift: rows of the dataset, and what is compared with them. Only for a recipe with `drift`."""
        return {
            "reference": reference,
            "current": current,
            "prompt": self.prompt,
            "base": base,
            "usual": usual,
            "settings": self.drift,
            "seed": self.seed,
        }

    def validating(self, rows: Any, base: Any) -> dict[str, Any]:
        """The inputs of validate for a dataset version; `rows` is a FileRef, or a promise of one, as below."""
        return {
            "upload": rows,
            "file_name": "rows.jsonl",
            "text_column": "text",
            "label_column": "label",
            "rules": self.rules,
            "evaluation_sets": self.evaluation_sets,
            **self._length(base),
        }

    def _length(self, base: Any) -> dict[str, Any]:
        """What validate and prepare count tokens by."""
        return {"base": base, "prompt": self.prompt, "max_seq_len_tokens": self.max_seq_len_tokens}

    def preparing(self, rows: Any, base: Any) -> dict[str, Any]:
        """The inputs of prepare."""
        return {
            "rows": rows,
            **self._length(base),
            "split": self.split,
            "replay_share": self.replay_share,
            "replay_exclude": self.replay_exclude,
            "max_examples_per_label": self.max_examples_per_label,
            "seed": self.seed,
            "canaries": self.canaries,
        }

    def measuring(self, test_split: Any, trained_on: Any, canaries: Any) -> dict[str, Any]:
        """The inputs of evaluate but for the model: the same for both sides, in the precision that users get."""
        return {
            "tasks": [task.asks(test_split, canaries) for task in self.tasks],
            "num_looks": self.gate.num_looks,
            "trained_on": trained_on,
            "engine": self.eval_engine,
            "batch_size": self.eval_batch_size,
            "dtype": self.serving.dtype,
            "seed": self.seed,
        }

    def trying(self, canary: CanarySettings, test_split: Any, candidate_report: Any) -> dict[str, Any]:
        """The canary of promote's inputs."""
        return {
            "settings": canary,
            "prompts": test_split,
            "candidate_report": candidate_report,
            "task": self.split_task.name,
        }

    def asking_again(self) -> dict[str, Any]:
        """The inputs of drill, and of monitor: how the golden answers of a release that was approved are compared."""
        return {
            "line": self.line,
            "task": self.split_task.name,
            "num_golden_prompts": self.stage.num_golden_prompts,
            "max_answer_tokens": self.stage.max_answer_tokens,
            "min_golden_agreement": self.stage.min_golden_agreement,
        }

    @property
    def grows_with_rows(self) -> tuple[str, ...]:
        """The steps that take longer for a larger dataset; questions that are limited in number do not."""
        asks_all = () if self.split_task.max_samples else ("evaluate",)
        return ("validate", "prepare", "finetune", *asks_all)

    @property
    def sha256(self) -> Sha256:
        return digest_json(self)

    @property
    def evaluation_sets(self) -> tuple[EvaluationSet, ...]:
        """What the checks ask, but for the recipe's own test split: prepare keeps that apart from the training."""
        return tuple(EvaluationSet(name=task.name, data=task.data) for task in self.tasks if task.data)

    @property
    def split_task(self) -> Task:
        """The task that asks the recipe's own test split."""
        return next(task for task in self.tasks if task.asks_the_test_split)
