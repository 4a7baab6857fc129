"""The one table of steps: word → contracts, image, code revision."""

from dataclasses import dataclass

from ratchet import __version__
from ratchet.bake.contract import BakeInputs, BakeOutputs
from ratchet.clients.settings import Settings
from ratchet.convert.contract import ConvertInputs, ConvertOutputs
from ratchet.core.contract import Contract, digest_json
from ratchet.core.memo import step_key
from ratchet.core.refs import digest_file
from ratchet.drift.contract import DriftInputs, DriftOutputs
from ratchet.drill.contract import DrillInputs, DrillOutputs
from ratchet.evaluate.contract import EvaluateInputs, EvaluateOutputs
from ratchet.finetune.contract import FinetuneInputs, FinetuneOutputs
from ratchet.gate.contract import GateInputs, GateOutputs
from ratchet.monitor.contract import MonitorInputs, MonitorOutputs
from ratchet.prepare.contract import PrepareInputs, PrepareOutputs
from ratchet.promote.contract import PromoteInputs, PromoteOutputs
from ratchet.quality.contract import QualityInputs, QualityOutputs
from ratchet.report.contract import Code, ReportInputs, ReportOutputs, StepCode
from ratchet.resolve.contract import ResolveInputs, ResolveOutputs
from ratchet.rollback.contract import RollbackInputs, RollbackOutputs
from ratchet.stage.contract import StageInputs, StageOutputs
from ratchet.unload.contract import UnloadInputs, UnloadOutputs
from ratchet.validate.contract import ValidateInputs, ValidateOutputs


@dataclass(frozen=True)
class Step:
    """One containerized unit of work.

    Raise `revision` in the commit that changes what the step puts out for the same inputs: it is part of the memo key.
    `acts` marks a step that changes the world, or looks at it as it is now: it is never memoized, it is re-entrant.
    One that is `apart` needs nothing of the serving side, and on a cluster is given no way to it.
    """

    name: str
    inputs: type[Contract]
    outputs: type[Contract]
    image: str
    revision: int
    acts: bool = False
    apart: bool = False

    @property
    def serves(self) -> bool:
        """Does it read or move the serving side?"""
        return self.acts and not self.apart

    @property
    def module(self) -> str:
        """Loaded by name, so that knowing a step never imports what it runs on."""
        return f"ratchet.{self.name}.run"

    def key(self, inputs: Contract, settings: Settings, run_id: str, attempt: str, fresh: bool = False) -> str:
        """The name of this work. A step that acts, and one that is forced (`fresh`), is new work in every attempt."""
        lock = digest_file(settings.lock(self.image))
        version = inputs.model_dump()["contract_version"]
        same_work = step_key(self.name, version, self.revision, inputs, lock, settings.device_of(self.image))
        return digest_json([same_work, run_id, attempt]) if self.acts or fresh else same_work


STEPS = {
    step.name: step
    for step in (
        Step("resolve", ResolveInputs, ResolveOutputs, image="ops", revision=1, acts=True),
        Step("validate", ValidateInputs, ValidateOutputs, image="data", revision=4),
        Step("drift", DriftInputs, DriftOutputs, image="evaluate", revision=1),
        Step("prepare", PrepareInputs, PrepareOutputs, image="data", revision=1),
        Step("finetune", FinetuneInputs, FinetuneOutputs, image="train", revision=1),
        Step("evaluate", EvaluateInputs, EvaluateOutputs, image="evaluate", revision=4),
        Step("gate", GateInputs, GateOutputs, image="ops", revision=4),
        Step("convert", ConvertInputs, ConvertOutputs, image="convert", revision=2),
        Step("stage", StageInputs, StageOutputs, image="ops", revision=2, acts=True),
        Step("report", ReportInputs, ReportOutputs, image="ops", revision=5),
        Step("promote", PromoteInputs, PromoteOutputs, image="ops", revision=1, acts=True),
        Step("bake", BakeInputs, BakeOutputs, image="ops", revision=1, acts=True),
        Step("unload", UnloadInputs, UnloadOutputs, image="ops", revision=1, acts=True),
        Step("rollback", RollbackInputs, RollbackOutputs, image="ops", revision=1, acts=True),
        Step("drill", DrillInputs, DrillOutputs, image="ops", revision=1, acts=True),
        Step("monitor", MonitorInputs, MonitorOutputs, image="ops", revision=1, acts=True),
        Step("quality", QualityInputs, QualityOutputs, image="data", revision=1, acts=True, apart=True),
    )
}

# What decides the bytes of the model and of its bundle; the other steps measure them, or move traffic.
MAKERS = ("validate", "prepare", "finetune", "convert")


def code_now(settings: Settings) -> Code:
    """The code and the packages that this platform would make a candidate with."""
    makers = (STEPS[name] for name in MAKERS)
    return Code(
        version=__version__,
        steps={
            step.name: StepCode(revision=step.revision, lock_sha256=digest_file(settings.lock(step.image)))
            for step in makers
        },
    )
