"""The gate's step in its own environment: reports come from the store, the verdict from their samples alone."""

import pytest
from tests.unit.core.evaluations import paired, report, task

from ratchet.clients.settings import Settings
from ratchet.clients.store import DigestMismatch
from ratchet.clients.world import World
from ratchet.core.checks import Check, GatePolicy
from ratchet.core.evaluation import EvalReport
from ratchet.core.refs import blob_key
from ratchet.gate.contract import GateInputs
from ratchet.gate.run import run

POLICY = GatePolicy(
    num_looks=1,
    checks=(
        Check(name="better", task="intent", metric="exact_match", kind="improvement"),
        Check(name="sums are kept", task="arithmetic", metric="exact_match", kind="no_regression", margin=0.05),
    ),
)


@pytest.fixture
def world(tmp_path):
    return World(Settings(root=tmp_path), tmp_path / "work")


def inputs(world: World, candidate: EvalReport, baseline: EvalReport) -> GateInputs:
    return GateInputs(
        candidate_report=world.store.put_bytes(candidate.canonical_json()),
        baseline_report=world.store.put_bytes(baseline.canonical_json()),
        baseline_is_bootstrap=True,
        policy=POLICY,
    )


def reports(lost_sums: int, template: str = "chatml") -> tuple[EvalReport, EvalReport]:
    intent, sums = paired(200, 10, 500, 200), paired(20, lost_sums, 600, 300)
    candidate = report(task("intent", intent[0]), task("arithmetic", sums[0]), template=template)
    return candidate, report(task("intent", intent[1]), task("arithmetic", sums[1]))


@pytest.mark.parametrize(("lost_sums", "verdict"), [(20, "PASS"), (45, "INCONCLUSIVE"), (150, "FAIL")])
def test_what_the_candidate_forgot_decides(world, lost_sums, verdict):
    outputs = run(inputs(world, *reports(lost_sums)), world)

    assert outputs.verdict == verdict
    assert [check.verdict for check in outputs.checks] == ["PASS", verdict]


def test_the_same_inputs_give_the_same_outputs(world):
    once = inputs(world, *reports(30))

    assert run(once, world) == run(once, world)


def test_a_changed_chat_template_is_said_and_not_refused(world, caplog):
    with caplog.at_level("WARNING", logger="ratchet"):
        outputs = run(inputs(world, *reports(20, template="another")), world)

    assert outputs.verdict == "PASS"
    assert "the chat template changed" in caplog.text


def test_a_report_that_was_edited_after_it_was_stored_is_refused(world):
    asked = inputs(world, *reports(150))
    path = world.settings.state / "store" / blob_key(asked.candidate_report.sha256)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"0.0", b"1.0"))

    with pytest.raises(DigestMismatch):
        run(asked, world)
