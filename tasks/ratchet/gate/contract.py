"""gate: is the candidate provably not worse than production, and better where it must be?"""

from ratchet.core.checks import CheckResult, GatePolicy, Verdict
from ratchet.core.contract import Contract
from ratchet.core.refs import FileRef


class GateInputs(Contract):
    """`improvement` checks block only when the baseline is the untuned base (`baseline_is_bootstrap`).

    `ratings`: the newest core.preference.PreferenceReport of each task and kind of rater, as far as there are any.
    """

    contract_version: int = 2
    candidate_report: FileRef
    baseline_report: FileRef
    baseline_is_bootstrap: bool
    policy: GatePolicy
    ratings: tuple[FileRef, ...] = ()


class GateOutputs(Contract):
    contract_version: int = 1
    verdict: Verdict
    checks: tuple[CheckResult, ...]
