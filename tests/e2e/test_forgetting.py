"""Without replay rows the fine-tune forgets arithmetic, and the gate says so; data, recipe and base are the same."""

import pytest
from tests.e2e.conftest import Platform

from ratchet.cli.here import do_step
from ratchet.clients import manifests
from ratchet.core.evaluation import EvalReport
from ratchet.core.refs import FileRef
from ratchet.core.releases import production_history
from ratchet.evaluate.contract import EvaluateInputs, EvaluateOutputs
from ratchet.finetune.contract import FinetuneInputs
from ratchet.gate.contract import GateInputs, GateOutputs
from ratchet.prepare.contract import PrepareInputs
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

pytestmark = pytest.mark.timeout(1500)


def without_replay(platform: Platform, recipe: Recipe, rows: FileRef, baseline_report: FileRef) -> GateOutputs:
    """The chain from prepare to gate by hand, as a person would run it without Airflow."""
    base = production_history(platform.world.ledger(recipe.line).events())[0].model

    def do(step: str, inputs):
        return do_step(platform.settings, platform.config, step, inputs, lambda line: None)

    prepared = do(
        "prepare",
        PrepareInputs(
            rows=rows,
            base=base,
            prompt=recipe.prompt,
            split=recipe.split,
            replay_share=0.0,
            replay_exclude=recipe.replay_exclude,
            max_seq_len_tokens=recipe.max_seq_len_tokens,
            max_examples_per_label=recipe.max_examples_per_label,
            seed=recipe.seed,
        ),
    )
    tuned = do(
        "finetune",
        FinetuneInputs(
            line=recipe.line, base=base, train=prepared.train, validation=prepared.validation, method=recipe.method
        ),
    )
    measured = do(
        "evaluate",
        EvaluateInputs.model_validate({"model": tuned.model, **recipe.measuring(prepared.test, prepared.train)}),
    )
    return do(
        "gate",
        GateInputs(
            candidate_report=measured.report,
            baseline_report=baseline_report,
            baseline_is_bootstrap=True,
            policy=recipe.gate,
        ),
    )


def report_of_base(platform: Platform) -> FileRef:
    base = production_history(platform.world.ledger("support").events())[0].model
    store = platform.world.store
    for key in store.keys("manifests/evaluate/"):
        found = manifests.find(store, "evaluate", key.rpartition("/")[2].removesuffix(".json"))
        report = EvaluateOutputs.model_validate(found.outputs).report
        if EvalReport.model_validate_json(store.read_bytes(report)).model_sha256 == base.sha256:
            return report
    raise AssertionError("the base was not evaluated")


def test_a_fine_tune_without_replay_forgets_and_is_stopped(platform: Platform, demo: object) -> None:
    recipe = load_recipe("support", platform.settings.root)
    rows = platform.world.datasets(recipe.dataset).records()[0].rows

    gate = without_replay(platform, recipe, rows, report_of_base(platform))

    checks = {check.name: check.verdict for check in gate.checks}
    assert gate.verdict == "FAIL"
    assert checks["sums are not forgotten"] == "FAIL"
    assert checks["intents are better than without the fine-tune"] == "PASS"
