"""Without replay rows the fine-tune forgets arithmetic, and the gate says so; recipe and base are the demo's."""

import pytest
from tests.e2e.conftest import Platform

from ratchet.cli.here import do_step
from ratchet.core.refs import FileRef
from ratchet.core.releases import production_history
from ratchet.evaluate.contract import EvaluateInputs
from ratchet.finetune.contract import FinetuneInputs
from ratchet.gate.contract import GateInputs, GateOutputs
from ratchet.prepare.contract import PrepareInputs
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

pytestmark = pytest.mark.timeout(1500)
# Of the demo's rows: enough to learn the intents, and half the time.
NUM_ROWS = 1000


def without_replay(platform: Platform, recipe: Recipe, rows: FileRef) -> GateOutputs:
    """The chain from prepare to gate by hand, as a person would run it without Airflow."""
    base = production_history(platform.world.ledger(recipe.line).events())[0].model

    def do(step: str, inputs):
        return do_step(platform.settings, platform.config, step, inputs, lambda line: None)

    prepared = do(
        "prepare",
        PrepareInputs.model_validate({**recipe.preparing(rows, base), "replay_share": 0.0}),
    )
    tuned = do(
        "finetune",
        FinetuneInputs(
            line=recipe.line, base=base, train=prepared.train, validation=prepared.validation, method=recipe.method
        ),
    )
    # Which rows are left out depends on the training set, so the demo's report of the base would be of other rows.
    measuring = recipe.measuring(prepared.test, prepared.train, prepared.canaries)
    baseline, candidate = (
        do("evaluate", EvaluateInputs.model_validate({"model": model, **measuring})) for model in (base, tuned.model)
    )
    return do(
        "gate",
        GateInputs(
            candidate_report=candidate.report,
            baseline_report=baseline.report,
            baseline_is_bootstrap=True,
            policy=recipe.gate,
        ),
    )


def test_a_fine_tune_without_replay_forgets_and_is_stopped(platform: Platform, demo: object) -> None:
    recipe = load_recipe("support", platform.settings.root)
    store = platform.world.store
    lines = store.read_bytes(platform.world.datasets(recipe.dataset).records()[0].rows).splitlines(keepends=True)

    gate = without_replay(platform, recipe, store.put_bytes(b"".join(lines[:NUM_ROWS])))

    checks = {check.name: check.verdict for check in gate.checks}
    assert gate.verdict == "FAIL"
    assert checks["sums are not forgotten"] == "FAIL"
    assert checks["intents are better than without the fine-tune"] == "PASS"
