"""rollback: traffic goes back to the previous model; needs the router, nothing else."""

from pydantic import NonNegativeFloat

from ratchet.core.contract import Contract, Name
from ratchet.core.releases import Colour


class RollbackInputs(Contract):
    """`to_release` empty means the previous release."""

    contract_version: int = 1
    line: Name
    by: str
    reason: str
    to_release: str = ""


class RollbackOutputs(Contract):
    """`recorded` is False when the ledger could not be written: the event waits and the next command flushes it."""

    contract_version: int = 1
    active: Colour
    release_id: str
    switch_seconds: NonNegativeFloat
    cold_start: bool
    recorded: bool
