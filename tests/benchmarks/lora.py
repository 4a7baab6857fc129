"""One candidate in both lanes: as its merged model, and as its adapter on the base that is there already.

    make bench-lora [STARTS=3]       # prints the tables of docs/serving.md

Real vLLM engines, started as the platform starts them, with the tests' tiny model. Both lanes start at the same time,
and stream answers in turn by stage's own code: ratios stand where seconds depend on what else the machine does.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from statistics import fmean, median

from tests.steps.serving.conftest import Serving, Tuned, started
from tests.steps.serving.models import PROMPTS

from ratchet.cli.bench.prompts import built_in
from ratchet.clients.engine import COLOURS, LoadedModel, to_load
from ratchet.clients.openai import chat
from ratchet.core.releases import Colour
from ratchet.core.serving import Lane, ServingSettings
from ratchet.stage.contract import StageSettings
from ratchet.stage.judge import judge_ratios
from ratchet.stage.probe import Probed, endpoint, probe
from ratchet.stage.ready import wait_ready

LANES: tuple[Lane, ...] = ("merged", "adapter")
READY_TIMEOUT_SECONDS = 900
NUM_OTHER_PROMPTS = 24  # that nobody trained on
MAX_TOKENS = 48


def release(tuned: Tuned, lane: Lane) -> LoadedModel:
    return to_load(lane, tuned.model, tuned.parts if lane == "adapter" else None, ServingSettings())


def starts(serving: Serving, tuned: Tuned, num_rounds: int) -> dict[Lane, list[float]]:
    """Seconds from the command until a real chat was answered: both lanes at once, on each colour in turn.

    The last round leaves merged on blue and adapter on green.
    """
    found: dict[Lane, list[float]] = {lane: [] for lane in LANES}
    for number in reversed(range(num_rounds)):
        lanes = LANES if number % 2 == 0 else LANES[::-1]
        with ThreadPoolExecutor() as threads:
            waits = [_start(serving, *pair, tuned, threads) for pair in zip(COLOURS, lanes, strict=True)]
            for lane, seconds in zip(lanes, (wait.result() for wait in waits), strict=True):
                found[lane].append(seconds)
        told = ", ".join(f"{lane} {found[lane][-1]:.1f} s" for lane in LANES)
        print(f"{number} rounds left: {told}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return found


def _start(serving: Serving, colour: Colour, lane: Lane, tuned: Tuned, threads: ThreadPoolExecutor) -> Future[float]:
    engine, began = serving.world.engine, time.monotonic()

    def ready() -> float:
        wait_ready(engine, colour, tuned.model.sha256, PROMPTS, READY_TIMEOUT_SECONDS)
        return time.monotonic() - began

    engine.load(colour, release(tuned, lane))
    return threads.submit(ready)


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
    print(f"\n| command to ready, {num} starts each, two at a time | median, s | lowest to highest, s |\n|---|---|---|")
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
        probed = compared(serving)
        equal = [num_equal_answers(serving, prompts) for prompts in (PROMPTS, others)]
    show_bytes(tuned)
    show_starts(found)
    show_answers(probed)
    print(f"\nequal greedy answers: {equal[0]} of {len(PROMPTS)} golden prompts, {equal[1]} of {len(others)} others")
    return 0


if __name__ == "__main__":
    sys.exit(main())
