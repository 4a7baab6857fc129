"""drill: rehearse a rollback on the colour without users, and record that it works."""

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from ratchet.core.contract import Contract, Name
from ratchet.core.releases import Colour


class DrillInputs(Contract):
    """`task` names the test split's task in the release's own evaluation report; the numbers are stage's."""

    contract_version: int = 1
    line: Name
    task: Name
    num_golden_prompts: PositiveInt
    max_answer_tokens: PositiveInt
    min_golden_agreement: float = Field(gt=0.0, le=1.0)


class DrillOutputs(Contract):
    """Fields of the core.drills.Drill that was recorded, the `seq`-th of its line."""

    contract_version: int = 1
    seq: NonNegativeInt
    release_id: str
    colour: Colour
    cold_start: bool
    ready_seconds: NonNegativeFloat
    switch_seconds: NonNegativeFloat
    num_golden: NonNegativeInt
    num_agreed: NonNegativeInt
