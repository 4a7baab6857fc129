"""The sample model line: support tickets are labelled with their intent."""

from ratchet.convert.contract import ConvertSettings
from ratchet.prepare.contract import Canaries
from ratchet.promote.contract import CanarySettings
from ratchet.recipes.files import PolicyFiles
from ratchet.recipes.recipe import Recipe
from ratchet.stage.contract import StageSettings
from ratchet.validate.contract import DataRules


def recipe(files: PolicyFiles) -> Recipe:
    tasks = (
        files.task("intent", max_samples=600),
        files.task("arithmetic"),
        files.task("insults"),
        files.task("canaries", planted=True),
        files.task("canary_exposure", planted=True, max_samples=20),
    )
    gate = files.gate("support", tasks)
    return Recipe(
        line="support",
        owner="ml-engineering",
        description="Labels a support ticket with its intent.",
        dataset="support",
        base="ratchet-tiny",
        prompt="Give a label for: {text}",
        rules=DataRules(suite_json=files.suite("support")),
        replay_exclude=files.data("arithmetic"),
        canaries=Canaries(),
        tasks=tasks,
        gate=gate.policy,
        conversion=ConvertSettings(**gate.parity),
        stage=StageSettings(**gate.latency),
        canary=CanarySettings(max_stretch=12.0),  # a laptop that does other things needs a minute for 20 probes
        approvers=("release-manager",),
    )
