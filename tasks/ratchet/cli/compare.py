"""`ratchet compare A B`: put any two models of the line through the recipe's gate, without a release."""

from rich.console import Console
from rich.table import Table

from ratchet.cli.measure import DoStep, measure
from ratchet.clients.world import World
from ratchet.core.checks import Verdict, worth_showing
from ratchet.core.preference import newest
from ratchet.core.refs import FolderRef
from ratchet.gate.contract import GateInputs, GateOutputs
from ratchet.recipes.recipe import Recipe

# What a CI job sees; 2 is how argparse refuses a command line.
EXIT_OF: dict[Verdict, int] = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}


def compare(do: DoStep, world: World, recipe: Recipe, candidate: FolderRef, baseline: FolderRef) -> GateOutputs:
    """The steps of a release from validate to gate, with the newest ratings where the recipe's gate asks for any."""
    measured = measure(do, world, recipe, candidate, baseline)
    rated = world.preferences(candidate.sha256, baseline.sha256).records() if recipe.gate.preferences else []
    outputs: GateOutputs = do(
        "gate",
        GateInputs.model_validate(
            {"candidate_report": measured.candidate, **measured.against, "ratings": newest(rated)}
        ),
    )
    return outputs


def show(outputs: GateOutputs, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("check", "verdict", "why"):
        table.add_column(heading)
    for check in worth_showing(outputs.checks):
        colour = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow"}[check.verdict]
        table.add_row(check.name, f"[{colour}]{check.verdict}[/]", check.reason.replace("[", r"\["))
    console.print(table)
    console.print(f"gate: {outputs.verdict}")
