"""unload: a candidate that will not be released leaves the preview colour."""

from ratchet.core.contract import Contract, Name
from ratchet.core.refs import FolderRef


class UnloadInputs(Contract):
    contract_version: int = 1
    line: Name
    release_id: str
    model: FolderRef


class UnloadOutputs(Contract):
    contract_version: int = 1
    unloaded: bool
    reason: str
