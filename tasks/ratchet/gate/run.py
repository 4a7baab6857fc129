"""gate: judge the candidate against the baseline, from the per-sample files alone."""

from ratchet.clients.world import World
from ratchet.core.evaluation import EvalReport
from ratchet.core.log import log
from ratchet.gate.contract import GateInputs, GateOutputs
from ratchet.gate.decide import decide


def run(inputs: GateInputs, world: World) -> GateOutputs:
    candidate = EvalReport.model_validate_json(world.store.read_bytes(inputs.candidate_report))
    baseline = EvalReport.model_validate_json(world.store.read_bytes(inputs.baseline_report))
    if candidate.chat_template_sha256 != baseline.chat_template_sha256:
        log.warning("the chat template changed with the model; scores are compared all the same")
    outputs = decide(candidate, baseline, inputs.policy, baseline_is_bootstrap=inputs.baseline_is_bootstrap)
    for check in outputs.checks:
        log.info("check", extra={"check": check.name, "verdict": check.verdict, "reason": check.reason})
    log.info("gate", extra={"verdict": outputs.verdict, "num_checks": len(outputs.checks)})
    return outputs
