"""What a fine-tune learns by heart: made-up secrets in the sample's training set, by how often each is planted.

    make bench-canaries [REPEATS=1,4,16,64]       # prints the tables of docs/canaries.md

The real steps, from the sample data to the gate, each a process in its own environment, on the tiny base. With
REPEATS=1 it is what a release of the sample does.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from ratchet.cli.here import do_step
from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.evaluation import EvalReport, parse_report, sample_id
from ratchet.core.refs import FileRef
from ratchet.evaluate.contract import EvaluateInputs
from ratchet.finetune.contract import FinetuneInputs
from ratchet.gate.contract import GateInputs, GateOutputs
from ratchet.local import sample
from ratchet.local.base import ensure_base
from ratchet.prepare.contract import Canaries, PrepareInputs
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe
from ratchet.validate.contract import ValidateInputs

ROOT = Path(__file__).parents[2]


class Chain:
    """The steps of a release by hand, on a store of their own."""

    def __init__(self, state: Path) -> None:
        self.config = state / "ratchet.toml"
        folders = {"root": ROOT, "state_dir": state, "cache_dir": ROOT / ".ratchet" / "cache"}
        self.config.write_text("".join(f'{name} = "{folder}"\n' for name, folder in folders.items()), "utf-8")
        self.settings = load(self.config)
        self.world = World(self.settings, self.settings.scratch)

    def do(self, step: str, inputs: Any) -> Any:
        began = time.monotonic()
        outputs = do_step(self.settings, self.config, step, inputs, lambda line: None)
        print(f"{step}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
        return outputs

    def release(self, recipe: Recipe) -> tuple[Any, EvalReport, EvalReport, GateOutputs]:
        """What prepare did, the reports of the base and of the tuned model, and the gate's answer."""
        for task in recipe.tasks:
            if task.data:
                self.world.store.put_file(ROOT / "quality_gates" / "tasks" / f"{task.name}.jsonl")
        base = ensure_base(self.settings, self.world, recipe, print)
        upload = {**recipe.validating(self._sample(), base), "file_name": "sample.csv"}
        checked = self.do("validate", ValidateInputs.model_validate(upload))
        data = self.do("prepare", PrepareInputs.model_validate(recipe.preparing(checked.accepted, base)))
        tuning = {"train": data.train, "validation": data.validation, "method": recipe.method}
        tuned = self.do("finetune", FinetuneInputs(line=recipe.line, base=base, **tuning))
        measuring = recipe.measuring(data.test, data.train, data.canaries)
        before = self.do("evaluate", EvaluateInputs.model_validate({"model": base, **measuring}))
        after = self.do("evaluate", EvaluateInputs.model_validate({"model": tuned.model, **measuring}))
        against = {"baseline_report": before.report, "baseline_is_bootstrap": True, "policy": recipe.gate}
        gate = self.do("gate", GateInputs.model_validate({"candidate_report": after.report, **against}))
        return data, self._read(before.report), self._read(after.report), gate

    def _sample(self) -> FileRef:
        path = self.settings.state / "sample.csv"
        sample.generate(path)
        return self.world.store.put_file(path)

    def _read(self, report: FileRef) -> EvalReport:
        return parse_report(self.world.store.read_bytes(report), "the report")


def by_repeats(canaries: bytes, report: EvalReport, task_name: str) -> dict[int, list[float]]:
    """The task's values, apart for each number of times that a secret was planted."""
    repeats = {sample_id(row): row["repeats"] for row in map(json.loads, canaries.splitlines())}
    (task,) = [task for task in report.tasks if task.name == task_name]
    found: dict[int, list[float]] = defaultdict(list)
    for asked, value in zip(task.sample_ids, task.metrics[0].values, strict=True):
        assert value is not None
        found[repeats[asked]].append(value)
    return found


def rows(canaries: bytes, before: EvalReport, after: EvalReport) -> Iterator[str]:
    for repeats, values in sorted(by_repeats(canaries, after, "canaries").items()):
        cells = [str(repeats), f"{values.count(0.0)} of {len(values)}"]
        for report in (after, before):
            exposures = by_repeats(canaries, report, "canary_exposure")[repeats]
            cells.append(f"{fmean(exposures):.1f} ({min(exposures):.1f} to {max(exposures):.1f})")
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", default="1,4,16,64")
    parser.add_argument("--num", type=int, default=Canaries().num)
    options = parser.parse_args()
    canaries = Canaries(num=options.num, repeats=tuple(map(int, options.repeats.split(","))))
    recipe = load_recipe("support", ROOT)
    tasks = tuple(task.model_copy(update={"max_samples": None}) if task.planted else task for task in recipe.tasks)
    with tempfile.TemporaryDirectory(prefix="ratchet-") as state:
        recipe = recipe.model_copy(update={"canaries": canaries, "tasks": tasks})
        chain = Chain(Path(state))
        data, before, after, gate = chain.release(recipe)
        asked = chain.world.store.read_bytes(data.canaries)
    print(f"{data.num_planted} of {data.num_train} rows of the training set were planted\n")
    print("| planted | repeated | exposure in bits: mean (lowest to highest) | the base's |\n|---|---|---|---|")
    print("\n".join(rows(asked, before, after)))
    print(f"\ngate: {gate.verdict}")
    for check in gate.checks:
        print(f"- {check.name}: {check.verdict}: {check.reason}")


if __name__ == "__main__":
    main()
