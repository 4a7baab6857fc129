"""The weekly release DAG of this platform's recipe: from the newest dataset version to a promoted, watched model.

Read `release` from top to bottom: it is the chain. Every task is one step of `ratchet.steps`, but for
the short cuts (a verdict that stops the run), the look for ratings and the person's approval.
"""

from datetime import timedelta
from functools import partial

from airflow.sdk import DAG, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable

from ratchet.clients.settings import load
from ratchet.core.releases import PROMOTION_HOURS
from ratchet.orchestration.approval import ReleaseApproval
from ratchet.orchestration.costs import OverBudgetReason, RecordCost, work_so_far
from ratchet.orchestration.drift import drift_asset
from ratchet.orchestration.endings import TOLD_WHEN_IT_FAILS
from ratchet.orchestration.intake import dataset_asset
from ratchet.orchestration.operator import step_task
from ratchet.orchestration.ratings import NewestRatings
from ratchet.orchestration.verdict import proceed_unless_stopped
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.files import PolicyFiles
from ratchet.recipes.rates import held_budget, rates_of
from ratchet.recipes.recipe import Recipe
from ratchet.steps import code_now

SETTINGS = load()
FILES = PolicyFiles(SETTINGS.root)


def release(recipe: Recipe) -> DAG:
    step = partial(step_task, recipe)
    rates = rates_of(recipe, SETTINGS)
    canary = recipe.canary if SETTINGS.can_share_traffic else None
    weekly = CronTriggerTimetable(recipe.schedule, timezone="UTC")
    waits_for = [dataset_asset(recipe.dataset)] * recipe.release_on_data + [
        drift_asset(recipe.line)
    ] * recipe.release_on_drift
    with DAG(
        dag_id=f"release_{recipe.line}",
        description=recipe.description,
        doc_md=__doc__,
        schedule=AssetOrTimeSchedule(timetable=weekly, assets=AssetAny(*waits_for)) if waits_for else weekly,
        # No start date: with one, Airflow would start a run for the last week as soon as the DAG is there.
        catchup=False,
        max_active_runs=1,
        tags=["ratchet", "release", recipe.line],
        **TOLD_WHEN_IT_FAILS,
        default_args={
            "owner": recipe.owner,
            "retries": 3,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=10),
            "execution_timeout": timedelta(hours=1),
        },
    ) as dag:
        resolve = step(
            step="resolve",
            inputs={
                "line": recipe.line,
                "dataset": recipe.dataset,
                "base": recipe.base,
                "recipe_sha256": recipe.sha256,
                "min_new_examples": recipe.min_new_examples,
                "rates": rates,
                "grows_with_rows": recipe.grows_with_rows,
                "budget": held_budget(recipe, SETTINGS),
                "over_budget": OverBudgetReason(),
            },
            publishes=[FILES.data_path(task.name) for task in recipe.tasks if task.data],
        )
        what = resolve.output

        validate = step(step="validate", inputs=recipe.validating(what["rows"], what["base"]))
        checked = validate.output

        prepare = step(step="prepare", inputs=recipe.preparing(checked["accepted"], what["base"]))
        data = prepare.output

        finetune = step(
            step="finetune",
            inputs={
                "line": recipe.line,
                "base": what["base"],
                "train": data["train"],
                "validation": data["validation"],
                "method": recipe.method,
            },
            execution_timeout=timedelta(hours=12),
        )
        tuned = finetune.output

        parts = recipe.parts(tuned["adapter"], what["base"])

        measuring = recipe.measuring(data["test"], data["train"], data["canaries"])
        evaluate_baseline = step(
            task_id="evaluate_baseline",
            step="evaluate",
            inputs={"model": what["baseline"], **measuring},
        )
        before = evaluate_baseline.output
        against = {
            "baseline_report": before["report"],
            "baseline_is_bootstrap": what["baseline_is_bootstrap"],
            "policy": recipe.gate,
        }
        evaluate_candidate = step(
            task_id="evaluate_candidate",
            step="evaluate",
            inputs={"model": tuned["model"], "stopping": against, **measuring},
        )
        after = evaluate_candidate.output

        rated = {}
        if recipe.gate.preferences:
            ratings = NewestRatings(task_id="ratings", candidate=tuned["model"], baseline=what["baseline"])
            evaluate_candidate >> ratings
            rated = {"ratings": ratings.output}
        gate = step(step="gate", inputs={"candidate_report": after["report"], **against, **rated})
        good_enough = proceed_unless_stopped("good_enough", gate.output["verdict"], recipe.on_inconclusive)

        convert = step(
            step="convert",
            inputs={"model": tuned["model"], "prompts": data["test"], "settings": recipe.conversion},
        )
        bundle = convert.output

        stage = step(
            step="stage",
            inputs={
                "line": recipe.line,
                "release_id": what["release_id"],
                "model": tuned["model"],
                "prompts": data["test"],
                "candidate_report": after["report"],
                "task": recipe.split_task.name,
                "settings": recipe.stage,
                "serving": recipe.serving,
                "parts": parts,
            },
        )
        staged = stage.output

        until_report = [
            *(resolve, validate, prepare, finetune, evaluate_baseline, evaluate_candidate, gate, convert, stage),
        ]
        report = step(
            step="report",
            inputs={
                "line": recipe.line,
                "release_id": what["release_id"],
                "recipe_sha256": recipe.sha256,
                "origin": {"base": what["base"], "recipe": recipe, "code": code_now(SETTINGS)},
                "candidate": tuned["model"],
                "baseline": what["baseline"],
                "baseline_release_id": what["baseline_release_id"],
                "baseline_recipe_sha256": what["baseline_recipe_sha256"],
                "baseline_record_sha256": what["baseline_record_sha256"],
                "adapter": tuned["adapter"],
                "lane": recipe.serving.lane,
                "bundle": bundle["bundle"],
                "dataset": what["rows"],
                "train": data["train"],
                "prompts": data["test"],
                "training_log": tuned["training_log"],
                "candidate_report": after["report"],
                "baseline_report": before["report"],
                "candidate_scores": after["scores"],
                "baseline_scores": after["baseline_scores"],
                "gate_verdict": gate.output["verdict"],
                "gate_checks": gate.output["checks"],
                "conversion_verdict": bundle["verdict"],
                "conversion_checks": bundle["checks"],
                "conversion_blocks": recipe.conversion_blocks,
                "stage_verdict": staged["verdict"],
                "stage_checks": staged["checks"],
                "data": {
                    **{name: what[name] for name in ("num_rows", "num_new_rows", "num_quarantined", "receipt")},
                    **{name: data[name] for name in ("num_train", "num_replay", "num_planted", "num_test")},
                    "num_labels": checked["num_labels"],
                },
                "training": {
                    name: tuned[name]
                    for name in (
                        "num_steps",
                        "first_loss",
                        "last_loss",
                        "validation_loss",
                        "tokens_per_second",
                        "merge_max_logit_difference",
                    )
                },
                "measuring": {name: after[name] for name in ("num_samples", "num_measured")},
                "serving": {
                    **{n: staged[n] for n in ("colour", "ready_seconds", "preview", "active")},
                    **{n: bundle[n] for n in ("tflite_bytes", "litertlm_bytes")},
                },
                "shares": canary.shares if canary else (),
                "work": work_so_far(rates, what["forecast"], until_report),
            },
        )
        worth_asking = proceed_unless_stopped("worth_asking", report.output["verdict"], recipe.on_inconclusive)

        proposal = {
            "line": recipe.line,
            "release_id": what["release_id"],
            "candidate": tuned["model"],
            "baseline": what["baseline"],
            "bundle": bundle["bundle"],
            "report": report.output["record"],
            "dataset": what["rows"],
            "recipe_sha256": recipe.sha256,
            "parts": parts,
        }
        approve = ReleaseApproval(
            task_id="approve",
            subject=f"Release of {recipe.line}",
            body=report.output["summary"],
            proposal=proposal,
            verdict=report.output["verdict"],
            approvers=recipe.approvers,
            two_people=recipe.two_people,
            timeout_hours=recipe.approval_timeout_hours,
            escalate_to=recipe.escalate_to,
        )
        promote = step(
            step="promote",
            inputs={
                "proposal": proposal,
                "approvers": recipe.approvers,
                "approval_valid_hours": recipe.approval_valid_hours,
                "two_people": recipe.two_people,
                "canary": canary and recipe.trying(canary, data["test"], after["report"]),
            },
            execution_timeout=timedelta(hours=PROMOTION_HOURS),
        )
        has_users = proceed_unless_stopped("has_users", promote.output["verdict"], "stop")
        bake = step(
            step="bake",
            inputs={
                "line": recipe.line,
                "release_id": what["release_id"],
                "prompts": data["test"],
                "candidate_report": after["report"],
                "task": recipe.split_task.name,
                "staged_latency_ms": staged["preview_latency_ms"],
                "settings": recipe.bake,
            },
        )
        # Only a candidate that did not go live is unloaded; the step looks before it acts.
        unload = step(
            step="unload",
            inputs={"line": recipe.line, "release_id": what["release_id"], "model": tuned["model"]},
        ).as_teardown(setups=stage)
        # Without setups, so that it runs after whatever happened, and that clearing a task does not clear them.
        cost = RecordCost(
            task_id="cost",
            line=recipe.line,
            rates=rates,
            steps=[*until_report, report, promote, bake, unload],
        ).as_teardown()

        (
            gate
            >> good_enough
            >> convert
            >> stage
            >> report
            >> worth_asking
            >> approve
            >> promote
            >> has_users
            >> bake
            >> unload
            >> cost
        )
    return dag


# One platform serves one line: the recipe that ratchet.toml names.
globals()[f"release_{SETTINGS.recipe}"] = release(load_recipe(SETTINGS.recipe, SETTINGS.root))
