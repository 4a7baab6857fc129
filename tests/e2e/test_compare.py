"""Any two models through the gate from a terminal: the exit code is the verdict."""

import json
from pathlib import Path

import pytest
from tests.e2e.conftest import Platform

from ratchet.core.preference import newest, parse_preferences
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


def test_what_two_models_answer_differently_can_be_rated(platform: Platform, demo: object, tmp_path: Path) -> None:
    base, tuned = production_history(platform.world.ledger("support").events())[:2]
    path = tmp_path / "pairs.jsonl"

    asked = platform.ratchet(
        "review", "pairs", tuned.release_id, base.model.sha256[:12], "--out", str(path), "-n", "40"
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    rows = [{**json.loads(line), "rating": "tie"} for line in path.read_text("utf-8").splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    handed_in = platform.ratchet("review", "ratings", str(path), "--by", "mia")

    assert handed_in.returncode == 0, handed_in.stdout + handed_in.stderr
    (ref,) = newest(platform.world.preferences(tuned.model.sha256, base.model.sha256).records())
    report = parse_preferences(platform.world.store.read_bytes(ref))
    assert (report.rater, report.values, report.num_equal) == ("mia", (0.5,) * 40, 40 - len(rows))


def test_a_model_that_nobody_knows_is_refused_with_the_names_there_are(platform: Platform, demo: object) -> None:
    unknown = platform.ratchet("compare", "production", "support-nothing")

    assert unknown.returncode == 65
    assert "support has no model 'support-nothing': name a release (" in " ".join(unknown.stderr.split())
