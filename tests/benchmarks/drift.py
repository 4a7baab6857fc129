"""What the embedding distance tells and what it does not, and how fast it is: the tables of docs/data.md.

    .venvs/evaluate/bin/python -m tests.benchmarks.drift ../shared/data .ratchet/cache/ratchet-tiny-…

The folder holds banking77_train.csv, banking77_test.csv and gsm8k_test.jsonl.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ratchet.drift.contract import DriftSettings
from ratchet.drift.embed import embeddings
from ratchet.drift.energy import apart

SIZES = (200, DriftSettings().sample_rows, 2000)
NUM_TRAIN = 5000
Draw = Callable[[torch.Generator, int], tuple[Any, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--rates", action="store_true", help="only how fast texts are embedded")
    options = parser.parse_args()
    print("| texts | texts/s of CPU | texts/s by the clock |\n|---|---|---|")
    train = embedded("banking77, train", texts_of(options.data / "banking77_train.csv")[::2][:NUM_TRAIN], options.base)
    test = embedded("banking77, test", texts_of(options.data / "banking77_test.csv"), options.base)
    sums = embedded("gsm8k, up to 128 tokens", questions_of(options.data / "gsm8k_test.jsonl"), options.base)
    if options.rates:
        return

    def halves(dice: torch.Generator, num: int) -> tuple[Any, Any]:
        mixed = some(train, 2 * num, dice)
        return mixed[:num], mixed[num:]

    def mixed_in(share: float) -> Draw:
        def draw(dice: torch.Generator, num: int) -> tuple[Any, Any]:
            now, before = halves(dice, num)
            num_other = min(round(share * num), len(sums))
            return torch.cat([some(sums, num_other, dice), now[num_other:]]), before

        return draw

    scenes: dict[str, Draw] = {
        "random halves of banking77's training file": halves,
        "banking77's test file against its training file": lambda dice, num: (
            some(test, num, dice),
            some(train, num, dice),
        ),
        **{f"{share:.0%} of the rows from gsm8k": mixed_in(share) for share in (0.05, 0.1, 0.2)},
        "gsm8k against banking77": lambda dice, num: (some(sums, num, dice), some(train, num, dice)),
    }
    print("\n| rows a side | of | told | median distance |\n|---|---|---|---|")
    for num_rows in SIZES:
        for name, draw in scenes.items():
            print(f"| {num_rows} | {name} | {told(draw, num_rows, options.draws)} |", flush=True)


def told(draw: Draw, num_rows: int, num_draws: int) -> str:
    """How often of how many times, and the median distance."""
    found = [apart(*draw(torch.Generator().manual_seed(seed), num_rows), seed) for seed in range(num_draws)]
    distances = sorted(one.distance for one in found)
    num_told = sum(one.distance > one.by_chance for one in found)
    return f"{num_told} of {num_draws} | {distances[num_draws // 2]:.4f}"


def some(points: Any, num: int, dice: torch.Generator) -> Any:
    return points[torch.randperm(len(points), generator=dice)[:num]]


def embedded(name: str, texts: list[str], base: Path) -> Any:
    embeddings(base, texts[:10], device="cpu", max_tokens=128)  # its imports are not of the texts
    clock, cpu = time.perf_counter(), time.process_time()
    found = embeddings(base, texts, device="cpu", max_tokens=DriftSettings().max_text_tokens)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    print(f"| {name} (n = {len(texts)}) | {len(texts) / cpu:.0f} | {len(texts) / clock:.0f} |", flush=True)
    return found


def texts_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def questions_of(path: Path) -> list[str]:
    return [json.loads(line)["question"] for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
