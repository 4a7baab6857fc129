"""promote: users move to the approved candidate, all at once or a share at a time; in the end all of them or none."""

from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from ratchet.core.checks import Verdict
from ratchet.core.contract import Contract, Name
from ratchet.core.proposal import Proposal
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import Colour, Evidence


class CanarySettings(Contract):
    """The candidate answers a share of the users' requests before it gets all of them.

    `steps` are percent, one after the other. With `shadow` a step before them copies requests to it, and nobody sees
    its answers. A step lasts `step_seconds`, and longer, up to `max_stretch` times, until the candidate has answered
    `min_requests` probes and `min_user_requests` of users: silence is no success, and ends the canary.

    `max_latency_ratio` is candidate / production, of probes that both get in turn: the candidate is given up when it
    certainly takes longer.
    """

    steps: tuple[Annotated[int, Field(ge=1, le=99)], ...] = Field(default=(10, 50), min_length=1)
    shadow: bool = False
    step_seconds: PositiveFloat = 5.0
    max_stretch: float = Field(default=3.0, ge=1.0)
    probe_interval_seconds: PositiveFloat = 0.1
    min_requests: PositiveInt = 20
    min_user_requests: NonNegativeInt = 0
    max_answer_tokens: PositiveInt = 48
    max_error_rate: float = Field(default=0.02, ge=0.0, le=1.0)
    max_latency_ratio: PositiveFloat = 2.0
    min_golden_agreement: float = Field(default=0.9, gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _steps_go_up(self) -> Self:
        if list(self.steps) != sorted(set(self.steps)):
            raise ValueError(f"the steps of a canary go up, got {self.steps}")
        return self

    @property
    def shares(self) -> tuple[int, ...]:
        """Percent of the users, one step after the other; 0 is the shadow."""
        return (0, *self.steps) if self.shadow else self.steps


class Canary(Contract):
    """`prompts` is prepare's test split; the report says what the evaluated candidate answered to them."""

    settings: CanarySettings
    prompts: FileRef
    candidate_report: FileRef
    task: Name


class PromoteInputs(Contract):
    """`approvers` are looked at again here: an approval by someone no longer named is void. So is one that is older
    than `approval_valid_hours` and, with `two_people`, one by who started the run.

    Without `canary` all users move at once.
    """

    contract_version: int = 3
    proposal: Proposal
    approvers: tuple[str, ...]
    approval_valid_hours: PositiveInt = 168
    two_people: bool = False
    canary: Canary | None = None

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
    """`verdict` is what the canary showed, PASS without one. Unless it is PASS the users are where they were."""

    contract_version: int = 2
    verdict: Verdict = "PASS"
    reason: str = ""
    active: Colour
    previous: Colour | None
    ledger_seq: NonNegativeInt
    switch_seconds: NonNegativeFloat
