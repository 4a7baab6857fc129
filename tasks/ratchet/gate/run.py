"""gate: judge the candidate against the baseline, from the per-sample files alone."""

from ratchet.clients.world import World
from ratchet.core.checks import join
from ratchet.core.comparison import compare
from ratchet.core.evaluation import parse_report
from ratchet.core.log import log
from ratchet.gate.contract import GateInputs, GateOutputs


def run(inputs: GateInputs, world: World) -> GateOutputs:
    candidate = parse_report(world.store.read_bytes(inputs.candidate_report), "the candidate's report")
    baseline = parse_report(world.store.read_bytes(inputs.baseline_report), "the baseline's report")
    if candidate.chat_template_sha256 != baseline.chat_template_sha256:
        log.warning("the chat template changed with the model; scores are compared all the same")
    checks = compare(candidate, baseline, inputs.policy, baseline_is_bootstrap=inputs.baseline_is_bootstrap)
    outputs = GateOutputs(verdict=join(checks), checks=checks)
    for check in outputs.checks:
        log.info("check", extra={"check": check.name, "verdict": check.verdict, "reason": check.reason})
    log.info("gate", extra={"verdict": outputs.verdict, "num_checks": len(outputs.checks)})
    return outputs
