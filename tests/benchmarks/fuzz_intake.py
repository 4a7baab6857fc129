"""A long run of the fuzzer of uploads: inputs tried, crashes, hangs.

    PYTHONPATH=.venvs/pytest .venvs/data/bin/python -m tests.benchmarks.fuzz_intake [--inputs 20000] [--seed 0]

Inputs are tried in a child process, so that one that kills it is counted and the run goes on after it. To see one
again: --seed SEED --inputs 1.
"""

import argparse
import collections
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from queue import Empty, Queue

HANG_SECONDS = 120.0  # a loaded machine needs tens of seconds where an idle one needs a tenth


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="the first input's; each has its own")
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after this time")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return _try(options.seed, options.inputs)
    outcomes: collections.Counter[str] = collections.Counter()
    seed, last, ends_at = options.seed, options.seed + options.inputs, time.monotonic() + options.seconds
    while seed < last and time.monotonic() < ends_at:
        seed = _run_child(seed, last, ends_at, outcomes)
    print("| inputs | read | refused | not foreseen | crashes | hangs |\n|---|---|---|---|---|---|")
    kinds = ("read", "refused", "bug", "crash", "hang")
    print(f"| {sum(outcomes[kind] for kind in kinds)} | " + " | ".join(str(outcomes[kind]) for kind in kinds) + " |")
    return 1 if outcomes["bug"] + outcomes["crash"] + outcomes["hang"] else 0


def _run_child(seed: int, last: int, ends_at: float, outcomes: collections.Counter[str]) -> int:
    """Try inputs until the child ends; the seed to go on with."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.fuzz_intake",
        "--child",
        f"--seed={seed}",
        f"--inputs={last - seed}",
    ]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    told: Queue[str] = Queue()
    threading.Thread(target=_pass_on, args=(child, told), daemon=True).start()
    try:
        while seed < last and time.monotonic() < ends_at:
            try:
                line = told.get(timeout=HANG_SECONDS)
            except Empty:
                line = "hang"
            if not line or line == "hang":
                kind = line or "crash"
                print(f"seed {seed}: {kind}, exit {child.poll()}", flush=True)
                outcomes[kind] += 1
                return seed + 1
            kind, _, words = line.strip().partition(" ")
            outcomes[kind] += 1
            if words:
                print(f"seed {seed}: {words}", flush=True)
            seed += 1
        return seed
    finally:
        child.kill()
        child.wait()


def _pass_on(child: subprocess.Popen[str], told: Queue[str]) -> None:
    """Each line of the child's, and an empty one after the last."""
    for line in child.stdout or ():
        told.put(line)
    told.put("")


def _try(seed: int, num_inputs: int) -> int:
    from tests.steps.validate.fuzzing import fuzzed_world, random_file, try_upload, valid_files

    with tempfile.TemporaryDirectory() as folder:
        world, files = fuzzed_world(Path(folder)), valid_files(Path(folder))
        for number in range(seed, seed + num_inputs):
            try:
                outcome = try_upload(world, *random_file(random.Random(number), files))
            except Exception:
                outcome = "bug " + traceback.format_exc()[-600:].replace("\n", " ⏎ ")
            print(outcome, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
