"""promote: traffic moves to the approved candidate, all of it or none."""

from pydantic import NonNegativeFloat, NonNegativeInt

from ratchet.core.contract import Contract
from ratchet.core.proposal import Proposal
from ratchet.core.refs import FolderRef
from ratchet.core.releases import Colour, Evidence


class PromoteInputs(Contract):
    """`approvers` are looked at again here: an approval by someone no longer named is void."""

    contract_version: int = 1
    proposal: Proposal
    approvers: tuple[str, ...]

    @property
    def line(self) -> str:
        return self.proposal.line

    @property
    def release_id(self) -> str:
        return self.proposal.release_id

    @property
    def model(self) -> FolderRef:
        return self.proposal.candidate

    @property
    def dataset_sha256(self) -> str:
        return self.proposal.dataset.sha256

    @property
    def evidence(self) -> Evidence:
        return self.proposal.evidence


class PromoteOutputs(Contract):
    contract_version: int = 1
    active: Colour
    previous: Colour | None
    ledger_seq: NonNegativeInt
    switch_seconds: NonNegativeFloat
