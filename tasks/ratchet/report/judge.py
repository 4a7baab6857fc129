"""Joins what gate, conversion and stage found into the one verdict that a person is asked about."""

from ratchet.core.checks import CheckResult, Verdict
from ratchet.report.contract import ReportInputs


def join_verdicts(inputs: ReportInputs) -> Verdict:
    """FAIL if any part that blocks failed; INCONCLUSIVE if any is undecided; else PASS."""
    parts = {inputs.gate_verdict, inputs.stage_verdict}
    if inputs.conversion_blocks:
        parts.add(inputs.conversion_verdict)
    if "FAIL" in parts:
        return "FAIL"
    return "INCONCLUSIVE" if "INCONCLUSIVE" in parts else "PASS"


def decisive_checks(inputs: ReportInputs) -> tuple[CheckResult, ...]:
    """The checks that may forbid the release, as gate, conversion, stage; of the slices, those that do."""
    conversion = inputs.conversion_checks if inputs.conversion_blocks else ()
    checks = (*inputs.gate_checks, *conversion, *inputs.stage_checks)
    return tuple(check for check in checks if check.blocks or (check.guards and check.verdict == "FAIL"))
