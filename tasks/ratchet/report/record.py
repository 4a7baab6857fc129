"""The decision record: what is approved, as data. The page shows it; the approval binds its digest."""

import json
from typing import Literal

from ratchet.core.checks import Verdict
from ratchet.core.contract import Contract, Sha256
from ratchet.report.contract import Origin, ReportInputs


class DecisionRecord(Contract):
    """No clock and no place: the same evidence is the same bytes. `page_sha256` binds what the approver saw.

    All but the run's times and prices (`evidence.work`, the page's section on them): a run that finds what an earlier
    one did takes other times, and an approval of the very same model, on the same evidence, must not be void for that.
    `page_sha256` is of the page as it is rendered from `evidence`, without that section.
    """

    schema_version: Literal[2] = 2
    verdict: Verdict
    recommendation: str
    evidence: ReportInputs
    page_sha256: Sha256


def bound(inputs: ReportInputs) -> ReportInputs:
    """The evidence as an approval binds it."""
    return inputs.model_copy(update={"work": None})


def origin_of(record: bytes) -> Origin | None:
    """What the model that this record is about was made of; None for a record from before that was kept.

    Only this part is read: a record lives as long as the ledger, and the rest of it changes with the versions.
    """
    origin = json.loads(record)["evidence"].get("origin")
    return None if origin is None else Origin.model_validate(origin)
