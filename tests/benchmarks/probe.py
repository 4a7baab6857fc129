"""The load probe's own noise: two colours that serve the same model, compared again and again, by stage's own code.

    make bench-probe [COMPARISONS=50]       # prints the tables of docs/serving.md

Both colours are real vLLM engines on this machine, started as the platform starts them, and take turns as preview. Each
comparison is what stage would do with the limit 2 on everything; any FAIL of it is a false alarm. Then the first pairs
of each, as many as there always are, are judged against other limits. A limit r below 1 is what a candidate that is 1/r
times as slow meets at 1.
"""

import argparse
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean, median

from tests.steps.serving.conftest import Serving, started
from tests.steps.serving.models import PROMPTS

from ratchet.clients.engine import LoadedModel
from ratchet.core.latency import Timing, readable_ms
from ratchet.stage.contract import StageSettings
from ratchet.stage.judge import Pair, judge_ratios, limits
from ratchet.stage.probe import endpoint, probe
from ratchet.stage.ready import wait_ready

LIMIT = 2.0
OTHER_LIMITS = (0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
FIRST = 30  # pairs
NUM_OF_MEDIANS = 20  # pairs, in a comparison of medians alone


def settings_at(max_ratio: float, **fields: int) -> StageSettings:
    return StageSettings(
        max_latency_ratio=max_ratio, max_ttft_ratio=max_ratio, max_inter_token_ratio=max_ratio, **fields
    )


def compared(serving: Serving, num_comparisons: int) -> list[tuple[Pair, ...]]:
    """The pairs of each comparison, twins in turn as preview."""
    engine = serving.world.engine
    base = engine.loaded("blue")
    assert base is not None
    engine.load("green", LoadedModel(release_id="twin", model=base.model))
    wait_ready(engine, "green", base.model.sha256, PROMPTS, 300)
    twins = [endpoint(engine.url(colour), "support") for colour in ("blue", "green")]
    found = []
    for number in range(num_comparisons):
        probed = probe(twins[number % 2], twins[1 - number % 2], PROMPTS, settings_at(LIMIT))
        assert probed.failed is None, probed.failed
        found.append(probed.pairs)
        said = f"comparison {number + 1} of {num_comparisons}: {len(probed.pairs)} pairs, load {os.getloadavg()[0]:.1f}"
        print(said, file=sys.stderr, flush=True)
    return found


def verdict(pairs: Sequence[Pair], settings: StageSettings) -> str:
    verdicts = {check.verdict for check in judge_ratios(pairs, settings)}
    return "FAIL" if "FAIL" in verdicts else "PASS" if verdicts == {"PASS"} else "INCONCLUSIVE"


def show_verdicts(comparisons: Sequence[Sequence[Pair]]) -> None:
    ended = Counter(verdict(pairs, settings_at(LIMIT)) for pairs in comparisons)
    print(f"\n{len(comparisons)} comparisons, limit {LIMIT:g}: {_counts(ended)}")
    print(f"pairs needed: {dict(sorted(Counter(map(len, comparisons)).items()))}")
    print(f"\n| limit, on the first {FIRST} pairs | PASS | FAIL | INCONCLUSIVE |\n|---|---|---|---|")
    for max_ratio in OTHER_LIMITS:
        settings = settings_at(max_ratio, num_latency_probes=FIRST)
        print(f"| {max_ratio:g} | {_counts(Counter(verdict(pairs[:FIRST], settings) for pairs in comparisons))} |")


def _counts(counted: Counter[str]) -> str:
    return " | ".join(str(counted[verdict]) for verdict in ("PASS", "FAIL", "INCONCLUSIVE"))


def show_noise(comparisons: Sequence[Sequence[Pair]]) -> None:
    print(
        "\n| | median, ms | half of the pairs differ by more than | ratio of a comparison, lowest to highest "
        f"| of medians of {NUM_OF_MEDIANS} alone |\n|---|---|---|---|---|"
    )
    for limit in limits(settings_at(LIMIT)):
        logs = [[math.log(limit.of(p.preview) / limit.of(p.active)) for p in pairs] for pairs in comparisons]
        centres = sorted(math.exp(fmean(ratios)) for ratios in logs)
        medians = sorted(_of_medians(pairs[:NUM_OF_MEDIANS], limit.of) for pairs in comparisons)
        typical = median(limit.of(pair.active) for pairs in comparisons for pair in pairs)
        spread = math.exp(median(abs(ratio) for ratios in logs for ratio in ratios))
        print(
            f"| {limit.name} | {readable_ms(typical)} | {spread:.2f} times | {centres[0]:.2f} to {centres[-1]:.2f} "
            f"| {medians[0]:.2f} to {medians[-1]:.2f} |"
        )


def _of_medians(pairs: Sequence[Pair], of: Callable[[Timing], float]) -> float:
    return median(of(pair.preview) for pair in pairs) / median(of(pair.active) for pair in pairs)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=50)
    options = parser.parse_args(arguments)
    with started() as serving:
        comparisons = compared(serving, options.comparisons)
    show_verdicts(comparisons)
    show_noise(comparisons)
    return 0


if __name__ == "__main__":
    sys.exit(main())
