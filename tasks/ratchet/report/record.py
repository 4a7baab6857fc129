"""The decision record: what is approved, as data. The page shows it; the approval binds its digest."""

from typing import Literal

from ratchet.core.checks import Verdict
from ratchet.core.contract import Contract, Sha256
from ratchet.report.contract import ReportInputs


class DecisionRecord(Contract):
    """No clock and no place: the same evidence is the same bytes. `page_sha256` binds what the approver saw."""

    schema_version: Literal[1] = 1
    verdict: Verdict
    recommendation: str
    evidence: ReportInputs
    page_sha256: Sha256
