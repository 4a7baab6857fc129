"""What a person is asked to approve: exactly these bytes, for exactly this reason."""

from datetime import datetime
from typing import Literal

from ratchet.core.contract import Contract, Name, Sha256
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import Evidence, LedgerEvent
from ratchet.core.serving import ServedParts


class Proposal(Contract):
    """A candidate with all that its approval binds: `report` is the decision record, `dataset` the training rows.

    `parts` are what would serve in the adapter lane; None where the merged candidate itself does.
    """

    line: Name
    release_id: str
    candidate: FolderRef
    baseline: FolderRef
    bundle: FolderRef
    report: FileRef
    dataset: FileRef
    recipe_sha256: Sha256
    parts: ServedParts | None = None

    @property
    def evidence(self) -> Evidence:
        return Evidence(
            candidate_sha256=self.candidate.sha256,
            baseline_sha256=self.baseline.sha256,
            bundle_sha256=self.bundle.sha256,
            report_sha256=self.report.sha256,
            recipe_sha256=self.recipe_sha256,
            adapter_sha256=self.parts.adapter.sha256 if self.parts else None,
            base_sha256=self.parts.base.sha256 if self.parts else None,
        )

    def event(
        self, kind: Literal["approved", "rejected"], at: datetime, by: str, note: str, asked_by: str = ""
    ) -> LedgerEvent:
        """The ledger's record of the answer. `asked_by` started the run."""
        return LedgerEvent(
            line=self.line,
            kind=kind,
            at=at,
            by=by,
            asked_by=asked_by,
            release_id=self.release_id,
            model=self.candidate,
            parts=self.parts,
            dataset_sha256=self.dataset.sha256,
            evidence=self.evidence,
            note=note,
        )
