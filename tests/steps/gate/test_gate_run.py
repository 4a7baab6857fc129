"""The gate's step in its own environment: reports come from the store, the verdict from their samples alone."""

import pytest
from tests.unit.core.evaluations import paired, report, task
from tests.unit.core.preferences import rated

from ratchet.clients.settings import Settings
from ratchet.clients.store import DigestMismatch
from ratchet.clients.world import World
from ratchet.core.checks import Check, GatePolicy, PreferenceCheck
from ratchet.core.evaluation import EvalReport
from ratchet.core.preference import BadPreferences
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


def with_ratings(world: World, *tables: tuple[int, int], **fields: object) -> GateInputs:
    """Inputs whose policy asks people, who said this: (wins, losses) among 400 samples."""
    candidate, baseline = reports(20)
    models = {"candidate_sha256": candidate.model_sha256, "baseline_sha256": baseline.model_sha256}
    ratings = [rated(*table, 400, **{**models, **fields}) for table in tables]
    liked = PreferenceCheck(name="people like it", task="intent", rater="people")
    return inputs(world, candidate, baseline).model_copy(
        update={
            "policy": POLICY.model_copy(update={"preferences": (liked,)}),
            "ratings": tuple(world.store.put_bytes(rating.canonical_json()) for rating in ratings),
        }
    )


@pytest.mark.parametrize(
    ("wins", "losses", "verdict"), [(60, 60, "PASS"), (60, 100, "INCONCLUSIVE"), (60, 150, "FAIL")]
)
def test_what_people_prefer_is_one_more_check(world, wins, losses, verdict):
    outputs = run(with_ratings(world, (wins, losses)), world)

    assert outputs.verdict == verdict
    assert [(check.name, check.verdict) for check in outputs.checks][-1] == ("people like it", verdict)
    assert [check.verdict for check in outputs.checks[:-1]] == ["PASS", "PASS"]


def test_a_gate_that_waits_for_ratings_is_open_and_says_how_to_make_them(world):
    outputs = run(with_ratings(world), world)

    assert outputs.verdict == "INCONCLUSIVE"
    assert "no ratings by people; make some by `ratchet review pairs" in outputs.checks[-1].reason


def test_ratings_do_not_save_what_a_metric_fails(world):
    asked = with_ratings(world, (400, 0))
    lost = inputs(world, *reports(150))

    outputs = run(lost.model_copy(update={"policy": asked.policy, "ratings": asked.ratings}), world)

    assert (outputs.verdict, outputs.checks[-1].verdict) == ("FAIL", "PASS")


def test_ratings_of_other_models_are_refused(world):
    with pytest.raises(BadPreferences, match="give the gate the ratings of the two models that it judges"):
        run(with_ratings(world, (60, 60), candidate_sha256="0" * 64), world)


def test_ratings_that_were_edited_after_they_were_stored_are_refused(world):
    asked = with_ratings(world, (60, 150))
    path = world.settings.state / "store" / blob_key(asked.ratings[0].sha256)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"0.0", b"1.0"))

    with pytest.raises(DigestMismatch):
        run(asked, world)
