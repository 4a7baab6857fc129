"""The steps of bench-sight: validate, prepare and gate, as the operator starts them, on little data."""

import json
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.paired import Measured, Pair, say
from tests.steps.serving.conftest import ROOT, Serving
from tests.unit.core.evaluations import paired, report, task

from ratchet import steps as table
from ratchet.clients.process import run_step, step_environment
from ratchet.clients.settings import Settings, load
from ratchet.core.arithmetic import held_out
from ratchet.core.checks import Check, GatePolicy
from ratchet.core.contract import Contract, canonical_json
from ratchet.core.telemetry import PARENT_VARIABLE, RunTrace
from ratchet.gate.contract import GateInputs
from ratchet.prepare.contract import PrepareInputs, SplitPolicy
from ratchet.validate.contract import DataRules, ValidateInputs

STEPS = ("validate", "prepare", "gate")


def steps(serving: Serving, collector: str, names: Sequence[str], num_rounds: int) -> Iterator[Measured]:
    """Wall and CPU of all of them together. Each is run seen and unseen in turn; who is first alternates."""
    config = serving.folder / "telling.toml"
    config.write_text(f'{serving.config.read_text()}\n[traces]\notlp_endpoint = "{collector}"\n')
    places = {True: Place(load(config), config), False: Place(serving.settings, serving.config)}
    wall, cpu, given = [], [], inputs(serving)
    for number in range(num_rounds + 1):
        took = {True: Spent(), False: Spent()}
        for index, step in enumerate(names):
            for seen in (True, False) if (number + index) % 2 else (False, True):
                took[seen] += places[seen].do(
                    step, given[step], trace=RunTrace.of("bench", str(number)) if seen else None
                )
        wall.append(Pair(took[True].wall, took[False].wall))
        cpu.append(Pair(took[True].cpu, took[False].cpu))
        say(f"steps, round {number} of {num_rounds}: {wall[-1].ratio:.3f} times")
    yield Measured(f"{', '.join(names)}: wall", "s", wall[1:])  # the first round warms up
    yield Measured(f"{', '.join(names)}: CPU", "s", cpu[1:])


@dataclass(frozen=True)
class Spent:
    """Seconds."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


@dataclass(frozen=True)
class Place:
    """One store, and a ratchet.toml that names a collector, or none."""

    settings: Settings
    config: Path

    def do(self, step: str, given: Contract, trace: RunTrace | None) -> Spent:
        self._forget(step)
        told = {"RATCHET_RUN_ID": "bench", "RATCHET_ATTEMPT": "1"}
        environment = step_environment(
            self.settings, self.config, {**told, PARENT_VARIABLE: trace.traceparent} if trace else told
        )
        lines: list[str] = []
        python = self.settings.python(table.STEPS[step].image)
        began, cpu = time.perf_counter(), _cpu_seconds()
        code, _ = run_step(python, step, given.canonical_json(), environment, lines.append)
        took = Spent(time.perf_counter() - began, _cpu_seconds() - cpu)
        assert code == 0, "\n".join(lines[-20:])
        return took

    def _forget(self, step: str) -> None:
        """What was done is found again: then there would be nothing to measure."""
        for manifest in self.settings.state.glob(f"**/manifests/{step}/*.json"):
            manifest.unlink()


def _cpu_seconds() -> float:
    """Of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def inputs(serving: Serving) -> dict[str, Contract]:
    store = serving.world.store
    base = serving.model("base")
    things = ("card", "parcel", "invoice", "refund", "voucher")
    rows = [(f"Number {n}: my {things[n % 5]} has been wrong since {n * 7} days", things[n % 5]) for n in range(1000)]
    as_json = ({"id": f"row-{n}", "text": text, "label": label} for n, (text, label) in enumerate(rows))
    csv = "\n".join(["text,label", *(f"{text},{label}" for text, label in rows)])
    questions = ({"question": question, "answer": answer} for question, answer in held_out())
    candidate, baseline = paired(200, 10, 500, 200)
    policy = GatePolicy(
        num_looks=1, checks=(Check(name="better", task="intent", metric="exact_match", kind="improvement"),)
    )
    suite = (ROOT / "expectations" / "support.json").read_text("utf-8")
    return {
        "validate": ValidateInputs(
            upload=store.put_bytes(csv.encode()), file_name="up.csv", rules=DataRules(suite_json=suite)
        ),
        "prepare": PrepareInputs(
            rows=store.put_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in as_json)),
            base=base,
            prompt="Give a label for this text: {text}",
            split=SplitPolicy(),
            replay_share=0.2,
            replay_exclude=store.put_bytes(b"".join(canonical_json(line) + b"\n" for line in questions)),
            max_seq_len_tokens=256,
            seed=3,
        ),
        "gate": GateInputs(
            candidate_report=store.put_bytes(report(task("intent", candidate)).canonical_json()),
            baseline_report=store.put_bytes(report(task("intent", baseline)).canonical_json()),
            baseline_is_bootstrap=True,
            policy=policy,
        ),
    }
