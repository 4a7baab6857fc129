"""promote: traffic moves to the approved candidate, all of it or none."""

from pydantic import NonNegativeFloat, NonNegativeInt

from ratchet.core.contract import Contract, Name
from ratchet.core.refs import FolderRef
from ratchet.core.releases import Colour, Evidence


class PromoteInputs(Contract):
    """`approvers` are looked at again here: an approval by someone no longer named is void."""

    contract_version: int = 1
    line: Name
    release_id: str
    model: FolderRef
    dataset_sha256: str
    evidence: Evidence
    approvers: tuple[str, ...]


class PromoteOutputs(Contract):
    contract_version: int = 1
    active: Colour
    previous: Colour | None
    ledger_seq: NonNegativeInt
    switch_seconds: NonNegativeFloat
