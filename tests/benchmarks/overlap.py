"""How long it takes to find what the training holds: rows of a task against the examples of a training set.

    .venv/bin/python tests/benchmarks/overlap.py [--rows 10000] [--examples 10000]

Both are tickets of the sample data, which come from a few hundred templates: harder than most data, since many texts
share many pairs of words.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from ratchet.evaluate.near import near_duplicates
from ratchet.evaluate.overlap import overlapping
from ratchet.local.sample import clean_row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--examples", type=int, default=10_000)
    options = parser.parse_args()
    rng = random.Random(0)
    tasks = {"intent": [{"prompt": f"Give a label for: {clean_row(rng).text}"} for _ in range(options.rows)]}
    with tempfile.TemporaryDirectory() as folder:
        training = Path(folder) / "train.jsonl"
        with training.open("w", encoding="utf-8") as file:
            for _ in range(options.examples):
                file.write(json.dumps(example(rng)) + "\n")
        print(f"{options.rows:,} rows against {options.examples:,} examples of {training.stat().st_size:,} bytes")
        for find in (overlapping, near_duplicates):
            started = time.monotonic()
            found = find(tasks, training)["intent"]
            print(f"{find.__name__:16} {time.monotonic() - started:6.1f} s  {len(found):,} rows")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


def example(rng: random.Random) -> dict[str, object]:
    row = clean_row(rng)
    return {
        "prompt": [{"role": "user", "content": f"Give a label for: {row.text}"}],
        "completion": [{"role": "assistant", "content": row.label}],
    }


if __name__ == "__main__":
    main()
