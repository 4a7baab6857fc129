"""The simulation of docs/gate-errors.md judges as the gate does: the same verdict, after the same samples."""

import numpy as np
import pytest
from tests.benchmarks import gate as simulation
from tests.unit.core.evaluations import report, task

from ratchet.core.checks import Check, GatePolicy, join
from ratchet.core.comparison import compare, open_tasks
from ratchet.core.evaluation import EvalReport, TaskReport
from ratchet.core.sequential import look_counts

TRUTHS = (simulation.Truth(300, 0.05, 0.10), simulation.Truth(200, 0.10, 0.20, effect=-0.05))
POLICY = GatePolicy(
    checks=tuple(
        Check(name=f"check {n}", task=f"task {n}", metric="exact_match", kind="no_regression", margin=truth.margin)
        for n, truth in enumerate(TRUTHS)
    )
)


def reports_of(seed: int) -> tuple[EvalReport, EvalReport]:
    """Candidate and baseline whose looks hold what the simulation draws with this seed."""
    rng = np.random.default_rng(seed)
    sides: tuple[list[TaskReport], list[TaskReport]] = ([], [])
    for number, truth in enumerate(TRUTHS):
        counts = look_counts(truth.num_samples, simulation.NUM_LOOKS)
        values: tuple[list[float], list[float]] = ([], [])
        before = (0, 0, 0)
        for pairs in simulation.drawn(truth, counts, rng):
            now = (pairs.gained, pairs.lost, pairs.num_pairs)
            gained, lost, size = (after - earlier for after, earlier in zip(now, before, strict=True))
            values[0].extend([1.0] * gained + [0.0] * lost + [1.0] * (size - gained - lost))
            values[1].extend([0.0] * gained + [1.0] * lost + [1.0] * (size - gained - lost))
            before = now
        for side in (0, 1):
            sides[side].append(task(f"task {number}", values[side]))
    return report(*sides[0]), report(*sides[1])


def measured_and_judged(candidate: EvalReport, baseline: EvalReport) -> simulation.Outcome:
    """As `evaluate` measures and `gate` judges."""
    ends = {each.name: look_counts(len(each.sample_ids), POLICY.num_looks) for each in candidate.tasks}
    reached, going_on = dict.fromkeys(ends, 0), set(ends)
    for look in range(POLICY.num_looks):
        for name in going_on:
            reached[name] = ends[name][min(look, len(ends[name]) - 1)]
        so_far = candidate.model_copy(
            update={"tasks": tuple(each.first(reached[each.name]) for each in candidate.tasks)}
        )
        going_on &= open_tasks(so_far, baseline, POLICY, baseline_is_bootstrap=False)
        if not going_on:
            break
    verdict = join(compare(so_far, baseline, POLICY, baseline_is_bootstrap=False))
    return simulation.Outcome(verdict, sum(reached.values()) / sum(truth.num_samples for truth in TRUTHS))


@pytest.mark.parametrize("seed", range(25))
def test_a_simulated_release_ends_as_a_measured_one(seed: int) -> None:
    simulated = simulation.in_looks(TRUTHS, simulation.NUM_LOOKS, np.random.default_rng(seed))

    assert measured_and_judged(*reports_of(seed)) == simulated


def test_the_seeds_meet_every_verdict_that_this_mix_has() -> None:
    found = {simulation.in_looks(TRUTHS, 10, np.random.default_rng(seed)).verdict for seed in range(25)}

    assert {"PASS", "INCONCLUSIVE"} <= found
