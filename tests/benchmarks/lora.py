"""One candidate in both lanes: as its merged model, and as its adapter on the base that is there already.

    make bench-lora [STARTS=3]       # prints the tables of docs/serving.md

Real vLLM engines, started as the platform starts them, with the tests' tiny model. Starts of the two lanes take turns,
so do the streamed answers, by stage's own code: ratios stand where seconds depend on what else the machine does.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from statistics import fmean, median

from tests.steps.serving.conftest import Serving, Tuned, started
from tests.steps.serving.models import PROMPTS

from ratchet.cli.bench.prompts import built_in
from ratchet.clients.engine import LoadedModel, to_load
from ratchet.clients.openai import chat
from ratchet.core.releases import Colour
from ratchet.core.serving import Lane, ServingSettings
from ratchet.stage.contract import StageSettings
from ratchet.stage.judge import judge_ratios
from ratchet.stage.probe import Probed, endpoint, probe
from ratchet.stage.ready import wait_ready

LANES: tuple[Lane, ...] = ("merged", "adapter")
READY_TIMEOUT_SECONDS = 400
NUM_OTHER_PROMPTS = 24  # that nobody trained on
MAX_TOKENS = 48


def release(tuned: Tuned, lane: Lane) -> LoadedModel:
    return to_load(lane, tuned.model, tuned.parts if lane == "adapter" else None, ServingSettings())


def seconds_to_ready(serving: Serving, colour: Colour, loaded: LoadedModel) -> float:
    """From the command, on an empty colour, until a real chat was answered."""
    engine = serving.world.engine
    engine.unload(colour)
    began = time.monotonic()
    engine.load(colour, loaded)
    wait_ready(engine, colour, loaded.model.sha256, PROMPTS, READY_TIMEOUT_SECONDS)
    return time.monotonic() - began


def starts(serving: Serving, tuned: Tuned, num_starts: int) -> dict[Lane, list[float]]:
    """On green, the lanes in turn; who is first alternates."""
    found: dict[Lane, list[float]] = {lane: [] for lane in LANES}
    for number in range(num_starts):
        for lane in LANES if number % 2 == 0 else LANES[::-1]:
            found[lane].append(seconds_to_ready(serving, "green", release(tuned, lane)))
            print(f"start {number + 1} of {num_starts}, {lane}: {found[lane][-1]:.1f} s", file=sys.stderr, flush=True)
    return found


def compared(serving: Serving) -> Probed:
    """Streamed answers of green (adapter) and blue (merged) in turn, as many pairs as stage ever asks for."""
    engine = serving.world.engine
    adapter, merged = (endpoint(engine.url(colour), "support") for colour in ("green", "blue"))
    probed = probe(adapter, merged, PROMPTS, _all_limited_to(0.01))  # nobody keeps that, so asking never ends early
    assert probed.failed is None, probed.failed
    return probed


def num_equal_answers(serving: Serving, prompts: Sequence[str]) -> int:
    urls = [serving.world.engine.url(colour) for colour in ("blue", "green")]
    asked = ([chat(url, "support", prompt, MAX_TOKENS).text for url in urls] for prompt in prompts)
    return sum(merged == adapter for merged, adapter in asked)


def show_bytes(tuned: Tuned) -> None:
    base, adapter = tuned.parts.base.bytes, tuned.parts.adapter.bytes
    print("\n| bytes | merged | adapter |\n|---|---|---|")
    print(f"| copied for each release | {tuned.model.bytes:,} | {adapter:,} |")
    print(f"| on disk with two releases loaded | {2 * tuned.model.bytes:,} | {base + 2 * adapter:,} |")


def show_starts(found: dict[Lane, list[float]]) -> None:
    num = len(found["merged"])
    print(f"\n| command to ready, {num} starts each | median, s | lowest to highest, s |\n|---|---|---|")
    for lane in LANES:
        print(f"| {lane} | {median(found[lane]):.1f} | {min(found[lane]):.1f} to {max(found[lane]):.1f} |")
    ratios = [math.log(a / m) for a, m in zip(found["adapter"], found["merged"], strict=True)]
    print(f"\nadapter / merged: {math.exp(fmean(ratios)):.2f} ({_range(ratios)} in single rounds)")


def show_answers(probed: Probed) -> None:
    speeds = [f"{side.tokens_per_second:.0f}" for side in (probed.active, probed.preview)]
    print(f"\ntokens per second of one stream: merged {speeds[0]}, adapter {speeds[1]}")
    print(f"\n| {len(probed.pairs)} pairs of answers | adapter / merged | interval of 90 % at least |\n|---|---|---|")
    for check in judge_ratios(probed.pairs, _all_limited_to(1.0)):
        ratio, low, high = (1 + (value or 0.0) for value in (check.effect, check.low, check.high))
        print(f"| {check.name} | {ratio:.2f} | {low:.2f} to {high:.2f} |")


def _all_limited_to(ratio: float) -> StageSettings:
    return StageSettings(max_latency_ratio=ratio, max_ttft_ratio=ratio, max_inter_token_ratio=ratio)


def _range(logs: Sequence[float]) -> str:
    return f"{math.exp(min(logs)):.2f} to {math.exp(max(logs)):.2f}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args(arguments)
    others = [str(messages[0]["content"]) for messages in built_in(NUM_OTHER_PROMPTS, seed=0).chats]
    with started() as serving:
        tuned = serving.adapter("tuned")
        found = starts(serving, tuned, options.starts)
        for colour, lane in (("blue", "merged"), ("green", "adapter")):
            seconds_to_ready(serving, colour, release(tuned, lane))
        probed = compared(serving)
        equal = [num_equal_answers(serving, prompts) for prompts in (PROMPTS, others)]
    show_bytes(tuned)
    show_starts(found)
    show_answers(probed)
    print(f"\nequal greedy answers: {equal[0]} of {len(PROMPTS)} golden prompts, {equal[1]} of {len(others)} others")
    return 0


if __name__ == "__main__":
    sys.exit(main())
