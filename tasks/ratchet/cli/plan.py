"""`ratchet gate --what-if`: what a margin costs in samples, and what samples can tell, before any is measured."""

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from ratchet.core.checks import GatePolicy
from ratchet.core.errors import TerminalError
from ratchet.core.paired import required_samples
from ratchet.core.sequential import inflation, power_in_looks

DISCORDANCES = (0.02, 0.05, 0.07, 0.10, 0.15, 0.20, 0.24, 0.40)
KNOWN = ("margin", "n", "discordance")


def parse_what_if(words: Sequence[str]) -> dict[str, float]:
    """E.g. ["margin=0.01", "n=2000"]. Raises TerminalError."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if name not in KNOWN or not 0 < number < math.inf or (name != "n" and number >= 1):
            raise TerminalError(
                f"--what-if {word!r}: expected margin=0.01, n=2000 or discordance=0.1 (margin and discordance are "
                "between 0 and 1: 0.01 is one point, or one sample in a hundred)"
            )
        found[name] = number
    return found


def planned_samples(margin: float, discordance: float, policy: GatePolicy) -> int:
    """Samples with which an equal candidate passes with the policy's power, over all its looks."""
    once = required_samples(margin, discordance, policy.alpha, policy.power)
    return math.ceil(inflation(policy.alpha, policy.power, policy.num_looks) * once - 1e-6)


def planned_power(margin: float, discordance: float, num_samples: float, policy: GatePolicy) -> float:
    once = required_samples(margin, discordance, policy.alpha, policy.power)
    return power_in_looks(policy.alpha, policy.power, policy.num_looks, num_samples / once)


def smallest_margin(discordance: float, num_samples: float, policy: GatePolicy) -> float:
    """To the tenth of a point; 1.0 when no margin can be told by so few."""
    margins = (margin / 1000 for margin in range(1, 1000))
    told = (m for m in margins if planned_samples(m, max(discordance, m), policy) <= num_samples)
    return next(told, 1.0)


def show(what_if: Mapping[str, float], policy: GatePolicy, console: Console) -> None:
    discordances = (what_if["discordance"],) if "discordance" in what_if else DISCORDANCES
    margins = sorted({what_if["margin"]} if "margin" in what_if else {c.margin for c in policy.checks if c.margin})
    num_samples = what_if.get("n")
    if all(discordance < margin for margin in margins for discordance in discordances):
        raise TerminalError(
            f"models that disagree on {max(discordances):.0%} of the samples cannot differ by {min(margins):.0%}: "
            "give a larger discordance, or a smaller margin"
        )
    table = Table(box=None, pad_edge=False)
    headings = ["margin", "models disagree on", "samples needed"]
    headings += [f"power at n = {num_samples:,.0f}", "smallest margin at that n"] if num_samples else []
    for heading in headings:
        table.add_column(heading, justify="right")
    for margin in margins:
        for discordance in (d for d in discordances if d >= margin):
            row = [
                f"{100 * margin:g} points",
                f"{discordance:.0%}",
                f"{planned_samples(margin, discordance, policy):,}",
            ]
            if num_samples:
                row.append(f"{planned_power(margin, discordance, num_samples, policy):.0%}")
                row.append(f"{100 * smallest_margin(discordance, num_samples, policy):.1f} points")
            table.add_row(*row)
    console.print(table)
    console.print(
        f"An equal candidate passes a no_regression check with a power of {policy.power:.0%}; one that is worse by the "
        f"margin passes in {policy.alpha:.0%} of cases; {policy.num_looks} looks. Models that differ by a weekly "
        "retrain usually disagree on 5 to 10 % of the samples."
    )
