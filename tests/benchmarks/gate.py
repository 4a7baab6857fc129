"""How often the gate errs, and what its looks save: simulated candidates, judged by the product's own code.

    make bench-gate [TRIALS=2000]        # prints the tables of docs/gate-errors.md

A trial draws, per check, how many samples each look gains and loses, and asks core for p-values and levels exactly as
core.comparison does (tests/unit/core/test_simulation.py holds the two together). Beside it, on the same draws, stand
the two gates that people use instead: a threshold on the point estimate, and an unpaired test of two shares.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.core.distributions import normal_quantile
from ratchet.core.means import clustered_mean, mean
from ratchet.core.paired import (
    EXACT_UP_TO_PAIRS,
    Pairs,
    exact_p_above,
    holm,
    required_samples,
    score_p_above,
)
from ratchet.core.questions import MIN_SAMPLES_OF_A_MEAN, MIN_SOURCES
from ratchet.core.sequential import inflation, look_counts, look_level

ALPHA, POWER, NUM_LOOKS = 0.05, 0.8, 10
AGREEMENTS = (0.60, 0.80, 0.90, 0.95, 0.98)
SIZES = (50, 200, 527, 2000, 10_000)
MARGINS = (0.01, 0.03, 0.05, 0.10)
BASELINE_SCORE = 0.8  # of the unpaired test, which needs to know both scores


@dataclass(frozen=True)
class Truth:
    """One check: a candidate that is truly `effect` better, and disagrees on `discordance` of the samples (a share)."""

    num_samples: int
    margin: float
    discordance: float
    effect: float = 0.0

    @property
    def shares(self) -> tuple[float, float, float]:
        gain, loss = (self.discordance + self.effect) / 2, (self.discordance - self.effect) / 2
        return gain, loss, 1 - gain - loss


@dataclass(frozen=True)
class Outcome:
    verdict: str
    cost: float  # share of the samples that were measured


def p_values(pairs: Pairs, margin: float) -> tuple[float, float]:
    """Of "worse than the margin" and of "no worse than it"."""
    p_above = exact_p_above if pairs.num_pairs <= EXACT_UP_TO_PAIRS else score_p_above
    return p_above(pairs, -margin), p_above(pairs.mirrored(), margin)


def drawn(truth: Truth, counts: Sequence[int], rng: np.random.Generator) -> list[Pairs]:
    """What each look has seen."""
    steps = np.diff([0, *counts])
    totals = np.cumsum([rng.multinomial(step, truth.shares) for step in steps], axis=0)
    return [Pairs(int(gained), int(lost), count) for (gained, lost, _), count in zip(totals, counts, strict=True)]


def in_looks(truths: Sequence[Truth], num_looks: int, rng: np.random.Generator) -> Outcome:
    """The whole gate, every check on samples of its own."""
    counts = [look_counts(truth.num_samples, num_looks) for truth in truths]
    seen = [drawn(truth, count, rng) for truth, count in zip(truths, counts, strict=True)]
    passed: set[int] = set()
    measured = [0] * len(truths)

    def level(index: int, left: int) -> float:
        at = counts[index][: reached[index] + 1]
        return look_level(ALPHA / left, at, truths[index].num_samples)

    reached = [0] * len(truths)
    verdict = "INCONCLUSIVE"
    for look in range(num_looks):
        p_fail = []
        for index, truth in enumerate(truths):
            reached[index] = reached[index] if index in passed else min(look, len(counts[index]) - 1)
            pairs = seen[index][reached[index]]
            measured[index] = pairs.num_pairs
            p_pass, p = p_values(pairs, truth.margin)
            p_fail.append(p)
            if p_pass < level(index, 1):
                passed.add(index)
        if any(index not in passed for index in holm(p_fail, level)):
            verdict = "FAIL"
            break
        if len(passed) == len(truths):
            verdict = "PASS"
            break
    return Outcome(verdict, sum(measured) / sum(truth.num_samples for truth in truths))


def point_gate(pairs: Pairs, truth: Truth) -> str:
    return "PASS" if pairs.difference >= -truth.margin else "FAIL"


def unpaired_gate(pairs: Pairs, truth: Truth) -> str:
    """A z test of two independent shares against the margin, PASS or FAIL by its bounds, as for two polls."""
    ours = BASELINE_SCORE + pairs.difference
    error = math.sqrt((BASELINE_SCORE * (1 - BASELINE_SCORE) + max(0.0, ours * (1 - ours))) / pairs.num_pairs)
    reach = normal_quantile(1 - ALPHA) * error
    if pairs.difference - reach > -truth.margin:
        return "PASS"
    return "FAIL" if pairs.difference + reach < -truth.margin else "INCONCLUSIVE"


def rates(verdicts: Sequence[str]) -> dict[str, float]:
    counted = Counter(verdicts)
    return {verdict: counted[verdict] / len(verdicts) for verdict in ("PASS", "FAIL", "INCONCLUSIVE")}


def table(title: str, header: Sequence[str], rows: Iterator[Sequence[object]]) -> None:
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def grid() -> Iterator[tuple[int, float, float]]:
    """Sizes, agreements and margins that go together: a margin cannot exceed the disagreement."""
    for num_samples in SIZES:
        for agreement in AGREEMENTS:
            for margin in MARGINS:
                if margin < 1 - agreement - 1e-9 and num_samples * margin >= 3:
                    yield num_samples, agreement, margin


def one_check(trials: int, seed: int) -> None:
    """False passes of a candidate exactly on the margin, false blocks of an equal one, beside the other two gates."""

    def rows() -> Iterator[Sequence[object]]:
        worst = {"pass": 0.0, "block": 0.0}
        for number, (num_samples, agreement, margin) in enumerate(grid()):
            rng = np.random.default_rng([seed, number])
            on_margin = Truth(num_samples, margin, 1 - agreement, -margin)
            equal = Truth(num_samples, margin, 1 - agreement)
            cells = []
            for truth, wrong in ((on_margin, "PASS"), (equal, "FAIL")):
                whole = [drawn(truth, (num_samples,), rng)[0] for _ in range(trials)]
                cells += [
                    rates([in_looks([truth], NUM_LOOKS, rng).verdict for _ in range(trials)])[wrong],
                    rates([point_gate(pairs, truth) for pairs in whole])[wrong],
                    rates([unpaired_gate(pairs, truth) for pairs in whole])[wrong],
                ]
            worst["pass"], worst["block"] = max(worst["pass"], cells[0]), max(worst["block"], cells[3])
            yield (f"{num_samples:,}", f"{agreement:.0%}", f"{100 * margin:g}", *map(percent, cells))
        yield ("**worst**", "", "", f"**{percent(worst['pass'])}**", "", "", f"**{percent(worst['block'])}**", "", "")

    header = ["n", "agreement", "margin, points", "false PASS: Ratchet", "point gate", "unpaired test"]
    table(
        f"One check in {NUM_LOOKS} looks: errors, of {trials:,} trials a row",
        [*header, "false FAIL: Ratchet", "point gate", "unpaired test"],
        rows(),
    )


def power(trials: int, seed: int) -> None:
    """An equal candidate at the n that the planner asks for; INCONCLUSIVE counts against it."""

    def rows() -> Iterator[Sequence[object]]:
        for number, (margin, discordance) in enumerate(
            (m, d) for m in (0.02, 0.03, 0.05, 0.10) for d in (0.02, 0.05, 0.10, 0.20, 0.40) if d >= m
        ):
            rng = np.random.default_rng([seed, 1, number])
            planned = math.ceil(
                inflation(ALPHA, POWER, NUM_LOOKS) * required_samples(margin, discordance, ALPHA, POWER)
            )
            truth = Truth(planned, margin, discordance)
            outcomes = [in_looks([truth], NUM_LOOKS, rng) for _ in range(trials)]
            yield (
                f"{100 * margin:g}",
                f"{1 - discordance:.0%}",
                f"{planned:,}",
                percent(rates([outcome.verdict for outcome in outcomes])["PASS"]),
                f"{np.mean([outcome.cost for outcome in outcomes]):.2f}",
            )

    header = ["margin, points", "agreement", "planned n", "an equal candidate passes", "share of n measured"]
    table(f"Power at the planned n, in {NUM_LOOKS} looks, of {trials:,} trials a row", header, rows())


def many_checks(trials: int, seed: int) -> None:
    """A gate of many checks: FAIL of an equal candidate, PASS of one that is on the margin of a single check."""

    def rows() -> Iterator[Sequence[object]]:
        for num_checks in (2, 5, 20):
            rng = np.random.default_rng([seed, 2, num_checks])
            equal = [Truth(600, 0.05, 0.10)] * num_checks
            bad = [Truth(600, 0.05, 0.10, -0.05), *equal[1:]]
            blocked = rates([in_looks(equal, NUM_LOOKS, rng).verdict for _ in range(trials)])
            let_in = rates([in_looks(bad, NUM_LOOKS, rng).verdict for _ in range(trials)])
            yield num_checks, percent(blocked["FAIL"]), percent(blocked["PASS"]), percent(let_in["PASS"])

    header = ["checks", "equal: FAIL", "equal: PASS", "one on its margin: PASS"]
    table(f"Many checks of 600 samples, 90 % agreement, 5 points, of {trials:,} trials a row", header, rows())


def other_metrics(trials: int, seed: int) -> None:
    """Paired t in looks on values that are not 0 and 1, and on samples that share sources."""
    draws: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
        "normal": lambda rng, n: rng.normal(0, 1, n),
        "few large gains (exponential)": lambda rng, n: rng.exponential(1, n) - 1,
        "few large losses (exponential)": lambda rng, n: 1 - rng.exponential(1, n),
        "very few huge losses (log-normal)": lambda rng, n: math.exp(0.5) - rng.lognormal(0, 1, n),
        "mostly ties": lambda rng, n: rng.normal(0, 1, n) * (rng.random(n) < 0.1),
    }

    def looks_of_a_mean(n: int) -> tuple[int, ...]:
        return tuple(count for count in look_counts(n, NUM_LOOKS) if count >= MIN_SAMPLES_OF_A_MEAN or count == n)

    def level_of(counts: Sequence[int], look: int) -> float:
        return look_level(ALPHA, tuple(counts[: look + 1]), counts[-1])

    def false_passes(draw: Callable[[np.random.Generator, int], np.ndarray], n: int, rng: np.random.Generator) -> float:
        counts, wrong = looks_of_a_mean(n), 0
        for _ in range(trials):
            values = (draw(rng, n) - 0.1).tolist()
            wrong += any(
                mean(values[:count], -0.1, level_of(counts, look), POWER).p_above < level_of(counts, look)
                for look, count in enumerate(counts)
            )
        return wrong / trials

    def clustered(n: int, rng: np.random.Generator) -> tuple[float, float]:
        """Sources of 10 samples each that share half of their variance: with the sources known, and without."""
        counts, knowing, not_knowing = looks_of_a_mean(n), 0, 0
        for _ in range(trials):
            sources = rng.permutation(np.repeat(np.arange(n // 10), 10))
            values = (rng.normal(0, 1, n // 10)[sources] + rng.normal(0, 1, n) - 0.1).tolist()
            names = [str(source) for source in sources]
            levels = [level_of(counts, look) for look in range(len(counts))]
            knowing += any(
                clustered_mean(values[:count], names[:count], -0.1, level, POWER).p_above < level
                for count, level in zip(counts, levels, strict=True)
                if len(set(names[:count])) >= MIN_SOURCES
            )
            not_knowing += any(
                mean(values[:count], -0.1, level, POWER).p_above < level
                for count, level in zip(counts, levels, strict=True)
            )
        return knowing / trials, not_knowing / trials

    def rows() -> Iterator[Sequence[object]]:
        for number, (name, draw) in enumerate(draws.items()):
            for n in (50, 200, 1000):
                rng = np.random.default_rng([seed, 3, number, n])
                yield name, f"{n:,}", percent(false_passes(draw, n, rng)), ""
        for n in (500, 1000):
            knowing, not_knowing = clustered(n, np.random.default_rng([seed, 4, n]))
            yield "sources of ten samples", f"{n:,}", percent(knowing), percent(not_knowing)

    header = ["values", "n", "false PASS on the margin", "… had the sources not been known"]
    table(f"Metrics that are not 0 and 1, in {NUM_LOOKS} looks, of {trials:,} trials a row", header, rows())


MIX = {"equal": 0.6, "better": 0.25, "worse": 0.15}


def cost(trials: int, seed: int) -> None:
    """Of a gate of two checks planned as in quality_gates/support.toml, over candidates as weeks bring them."""
    effects = {"equal": 0.0, "better": 0.03, "worse": -0.08}
    intent, sums = (527, 0.03, 0.10), (600, 0.05, 0.10)

    def rows() -> Iterator[Sequence[object]]:
        rng = np.random.default_rng([seed, 5])
        mixed = 0.0
        for name, effect in effects.items():
            truths = [Truth(*intent, effect), Truth(*sums, effect)]
            outcomes = [in_looks(truths, NUM_LOOKS, rng) for _ in range(trials)]
            share = float(np.mean([outcome.cost for outcome in outcomes]))
            mixed += MIX[name] * share
            found = map(percent, rates([outcome.verdict for outcome in outcomes]).values())
            yield name, percent(MIX[name]), *found, f"{share:.2f}"
        yield "**all**", "", "", "", "", f"**{mixed:.2f}**"

    header = ["candidate", "how often", "PASS", "FAIL", "INCONCLUSIVE", "share of the samples measured"]
    table(f"Cost against measuring everything, of {trials:,} trials a row", header, rows())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20260101)
    options = parser.parse_args(arguments)
    for part in (power, many_checks, cost, other_metrics, one_check):
        part(options.trials, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
