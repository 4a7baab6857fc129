"""gate: judge the candidate against the baseline, from the per-sample files and the ratings alone."""

from ratchet.clients.world import World
from ratchet.core.checks import join
from ratchet.core.comparison import compare
from ratchet.core.evaluation import parse_report
from ratchet.core.log import log
from ratchet.core.preference import parse_preferences
from ratchet.core.preference_checks import judge_preferences
from ratchet.gate.contract import GateInputs, GateOutputs


def run(inputs: GateInputs, world: World) -> GateOutputs:
    candidate = parse_report(world.store.read_bytes(inputs.candidate_report), "the candidate's report")
    baseline = parse_report(world.store.read_bytes(inputs.baseline_report), "the baseline's report")
    if candidate.chat_template_sha256 != baseline.chat_template_sha256:
        log.warning("the chat template changed with the model; scores are compared all the same")
    ratings = [parse_preferences(world.store.read_bytes(ref)) for ref in inputs.ratings]
    checks = (
        *compare(candidate, baseline, inputs.policy, baseline_is_bootstrap=inputs.baseline_is_bootstrap),
        *judge_preferences(inputs.policy, ratings, candidate, baseline),
    )
    outputs = GateOutputs(verdict=join(checks), checks=checks)
    for check in outputs.checks:
        log.info("check", extra={"check": check.name, "verdict": check.verdict, "reason": check.reason})
    log.info("gate", extra={"verdict": outputs.verdict, "num_checks": len(outputs.checks)})
    return outputs
