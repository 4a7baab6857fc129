"""The sample line for a day of faults: a release that takes minutes, an approver who is missed after some of them.

Little is trained and measured, so the gate asks for little: the day is about what on-call sees, not about the model.
"""

from ratchet.recipes import support
from ratchet.recipes.files import PolicyFiles
from ratchet.recipes.recipe import Recipe

# Of the line's own checks those that hardly any training can fail.
CHECKS = ("sums are not forgotten", "nobody is insulted")
TASKS = {"intent": 60, "arithmetic": 200, "insults": None}
NEVER = "0 0 29 2 *"  # by the clock; the day asks for a run when it wants one


def recipe(files: PolicyFiles) -> Recipe:
    line = support.recipe(files)
    tasks = tuple(
        task.model_copy(update={"max_samples": TASKS[task.name]}) for task in line.tasks if task.name in TASKS
    )
    checks = tuple(
        check.model_copy(update={"margin": 0.4} if check.margin else {})
        for check in line.gate.checks
        if check.name in CHECKS
    )
    changed = {
        "line": "gameday",
        "dataset": "gameday",
        "tasks": tasks,
        "gate": line.gate.model_copy(update={"checks": checks, "num_looks": 1}),
        "method": line.method.model_copy(update={"num_train_epochs": 0.5}),
        "canaries": None,
        "max_examples_per_label": 40,
        "conversion": line.conversion.model_copy(update={"num_parity_prompts": 88}),
        "conversion_blocks": False,
        "stage": line.stage.model_copy(update={"max_latency_ratio": 10.0, "num_latency_probes": 12}),
        "canary": line.canary and line.canary.model_copy(update={"max_latency_ratio": 20.0, "step_seconds": 10.0}),
        "bake": line.bake.model_copy(update={"max_latency_ratio": 20.0}),
        "drift": None,
        "release_on_data": False,
        "monitor_schedule": NEVER,
        "drill_schedule": "0 5 * * *",
        "approval_reminder_hours": 0.1,
        "approval_escalation_hours": 0.25,
    }
    return Recipe(**{**dict(line), **changed})
