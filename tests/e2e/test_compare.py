"""Any two models through the gate from a terminal: the exit code is the verdict."""

import pytest
from tests.e2e.conftest import Platform

from ratchet.core.releases import production_history

pytestmark = pytest.mark.timeout(1500)


def test_the_tuned_model_passes_against_the_base_and_the_base_fails_against_it(
    platform: Platform, demo: object
) -> None:
    base, tuned = production_history(platform.world.ledger("support").events())[:2]

    better = platform.ratchet("compare", tuned.release_id, base.model.sha256[:12])
    worse = platform.ratchet("compare", base.release_id, tuned.model.sha256[:12])

    assert better.returncode == 0, better.stdout + better.stderr
    assert "gate: PASS" in better.stdout
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert "gate: FAIL" in worse.stdout
    assert "intents are useful" in worse.stdout


def test_a_model_that_nobody_knows_is_refused_with_the_names_there_are(platform: Platform, demo: object) -> None:
    unknown = platform.ratchet("compare", "production", "support-nothing")

    assert unknown.returncode == 65
    assert "support has no model 'support-nothing': name a release (" in " ".join(unknown.stderr.split())
