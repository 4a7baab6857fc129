"""What a recipe must not say."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.mark.parametrize(
    ("reminder", "escalation", "timeout", "is_taken"),
    [(24, 48, 72, True), (0.01, 0.02, 0.03, True), (48, 48, 72, False), (24, 72, 72, False), (24, 12, 72, False)],
)
def test_people_are_reminded_then_others_are_told_then_it_is_rejected(
    reminder: float, escalation: float, timeout: float, is_taken: bool
) -> None:
    hours = {
        "approval_reminder_hours": reminder,
        "approval_escalation_hours": escalation,
        "approval_timeout_hours": timeout,
    }
    fields = {**dict(load_recipe("support", ROOT)), **hours}

    if is_taken:
        assert Recipe(**fields).approval_timeout_hours == timeout
    else:
        with pytest.raises(ValidationError, match="approval_reminder_hours < approval_escalation_hours < approval_tim"):
            Recipe(**fields)
