"""The record of a rehearsed roll-back that worked."""

from typing import Literal

from pydantic import AwareDatetime, NonNegativeFloat, NonNegativeInt

from ratchet.core.contract import Contract, Sha256
from ratchet.core.releases import Colour


class Drill(Contract):
    """One drill. `seq` is set by the journal that keeps it.

    `release_id` is where a roll-back would have led, `model_sha256` what answered there. `ready_seconds` passed until
    it did (minutes in a cold start), `switch_seconds` while the router's state was written, unchanged. Of a release
    that needed no approval, the untuned base, no golden prompts are known: `num_golden` is 0.
    """

    schema_version: Literal[1] = 1
    line: str
    seq: NonNegativeInt = 0
    at: AwareDatetime
    release_id: str
    model_sha256: Sha256
    colour: Colour
    cold_start: bool
    ready_seconds: NonNegativeFloat
    switch_seconds: NonNegativeFloat
    num_golden: NonNegativeInt
    num_agreed: NonNegativeInt
