"""A contract changes on purpose: its JSON schema is committed, and a difference is a decision.

Re-record: RECORD=1 .venv/bin/pytest tests/contracts
"""

import json
import os
from pathlib import Path

import pytest

from ratchet.core.contract import Contract
from ratchet.core.costs import CostRecord
from ratchet.core.datasets import DatasetVersion, Row
from ratchet.core.drifts import Drift
from ratchet.core.drills import Drill
from ratchet.core.evaluation import EvalReport
from ratchet.core.feedback import Feedback, FeedbackReview
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.core.notices import Notice
from ratchet.core.preference import PreferenceReport, Rated, Review
from ratchet.core.proposal import Proposal
from ratchet.core.quality import Quality
from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import RouterState
from ratchet.recipes.recipe import Recipe
from ratchet.report.record import DecisionRecord
from ratchet.steps import STEPS

SCHEMAS = Path(__file__).parent / "schemas"
STORED = (
    *(
        CostRecord,
        DatasetVersion,
        DecisionRecord,
        Drift,
        Drill,
        ErrorRecord,
        EvalReport,
        Feedback,
        FeedbackReview,
        LedgerEvent,
        Manifest,
    ),
    *(Notice, PreferenceReport, Proposal, Quality, Rated, Recipe, Review, RouterState, Row),
)
CONTRACTS = [contract for step in STEPS.values() for contract in (step.inputs, step.outputs)] + list(STORED)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_a_contract_is_what_its_committed_schema_says(contract: type[Contract]) -> None:
    path = SCHEMAS / f"{contract.__name__}.json"
    actual = json.dumps(contract.model_json_schema(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("RECORD"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(actual, "utf-8")

    assert path.read_text("utf-8") == actual


def test_no_schema_is_left_of_a_contract_that_is_gone() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.json")} == {contract.__name__ for contract in CONTRACTS}


@pytest.mark.parametrize("step", STEPS.values(), ids=lambda step: step.name)
def test_a_steps_contracts_carry_its_name_and_a_version(step) -> None:
    title = step.name.capitalize()

    assert (step.inputs.__name__, step.outputs.__name__) == (f"{title}Inputs", f"{title}Outputs")
    assert "contract_version" in step.inputs.model_fields
    assert "contract_version" in step.outputs.model_fields
