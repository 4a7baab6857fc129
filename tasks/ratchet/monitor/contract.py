"""monitor: is production what the ledger says, and does it answer as it was approved? It changes nothing."""

from pydantic import Field, NonNegativeInt, PositiveInt

from ratchet.core.contract import Contract, Name


class MonitorInputs(Contract):
    """`task` names the test split's task in the release's own evaluation report; `max_error_rate` is bake's, the other
    numbers are stage's.
    """

    contract_version: int = 1
    line: Name
    task: Name
    num_golden_prompts: PositiveInt
    max_answer_tokens: PositiveInt
    min_golden_agreement: float = Field(gt=0.0, le=1.0)
    max_error_rate: float = Field(ge=0.0, le=1.0)


class MonitorOutputs(Contract):
    """Production is in order as far as it could be seen. `remarks` says what could not, and what is behind but decides
    nothing. The untuned base has no golden prompts: it is asked, and `num_golden` is 0.
    """

    contract_version: int = 1
    release_id: str
    num_ok: NonNegativeInt
    num_golden: NonNegativeInt
    num_agreed: NonNegativeInt
    remarks: tuple[str, ...]
