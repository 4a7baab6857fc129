"""Production is looked at from all sides, and nothing is changed: green when it is as approved, red when it is not."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes.events import event, evidence
from tests.fakes.mlflow import Registered
from tests.fakes.mlflow import answering as registry_answering
from tests.fakes.serving_world import TASK, ServingWorld, goes_live, serving_world

from ratchet.clients.settings import Settings
from ratchet.core.rollout import swapped_back
from ratchet.monitor.contract import MonitorInputs, MonitorOutputs
from ratchet.monitor.decide import NotAsApproved, PromotionUnderWay
from ratchet.monitor.run import NothingInProduction, run

INPUTS = MonitorInputs(
    line="support", task=TASK, num_golden_prompts=12, max_answer_tokens=48, min_golden_agreement=0.9, max_error_rate=0.1
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ServingWorld]:
    """Release "b", approved on its evaluation, is live on green with real files; "a", the base, waits on blue."""
    registered = Registered()
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"\x00\x01\x02\x03")
    with serving_world(tmp_path) as made, registry_answering(registered) as mlflow:
        made.world.settings = Settings(root=tmp_path, tracking_uri=mlflow)
        model = made.world.store.put_folder(weights)
        made.world.store.fetch_folder(model, tmp_path / ".ratchet" / "serving" / "models" / model.sha256)
        record = {"evidence": {"prompts": made.prompts.model_dump(), "candidate_report": made.report("b").model_dump()}}
        approved_on = made.world.store.put_bytes(json.dumps(record).encode()).sha256
        goes_live(made, registered, model, report_sha256=approved_on)
        yield made


def look(place: ServingWorld) -> MonitorOutputs:
    """What came out, after a look that nothing was changed."""
    before = (place.router.state, dict(place.engine.held), len(place.ledger.events()), place.engine.num_starts)
    try:
        return run(INPUTS, place.world)
    finally:
        assert before == (
            place.router.state,
            place.engine.held,
            len(place.ledger.events()),
            place.engine.num_starts,
        )


def test_production_as_it_was_approved_is_green(place: ServingWorld) -> None:
    outputs = look(place)

    assert (outputs.release_id, outputs.num_ok, outputs.remarks) == ("b", 8, ())
    assert (outputs.num_golden, outputs.num_agreed) == (12, 12)


def test_the_untuned_base_is_asked_but_has_no_golden_prompts_to_answer(place: ServingWorld) -> None:
    assert place.router.state is not None
    place.router.state = swapped_back(place.router.state)
    base = place.engine.held["blue"].model
    (place.world.settings.state / "serving" / "models" / base.sha256).mkdir()
    place.ledger.append(lambda events: event("rolled_back", "a", dataset_sha256=None))

    with pytest.raises(NotAsApproved, match="served files") as caught:  # those of the fake base are empty
        look(place)

    assert "users:" not in str(caught.value)
    assert place.blue.num_asked > 0


def _other_answers(place: ServingWorld) -> None:
    for number in range(4):
        place.green.answers[f"Label: {number}"] = "another_label"


def _tampered_weights(place: ServingWorld) -> None:
    held = place.engine.held["green"]
    path = place.world.settings.state / "serving" / "models" / held.model.sha256 / "model.safetensors"
    path.chmod(0o644)
    path.write_bytes(b"\x00\x01\x02\xff")


def _moved_without_a_word(place: ServingWorld) -> None:
    assert place.router.state is not None
    place.router.state = swapped_back(place.router.state)


def _edge_down(place: ServingWorld) -> None:
    place.router.base_url = "http://127.0.0.1:9"


def _edge_behind(place: ServingWorld) -> None:
    place.router.base_url = place.engine.url("blue")
    place.blue.edge("blue", "a")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_other_answers, "users: 8 of 12 golden prompts are answered as in the evaluation, expected at least 90%"),
        (_tampered_weights, "served files: expected"),
        (_moved_without_a_word, "router: expected b, .* got a, "),
        (_edge_down, "users: 12 of 12 requests failed"),
        (_edge_behind, "users: answered by a, expected b"),
    ],
)
def test_what_is_not_as_approved_is_red_in_words(
    place: ServingWorld, spoil: Callable[[ServingWorld], None], words: str
) -> None:
    spoil(place)

    with pytest.raises(NotAsApproved, match=words):
        look(place)


def test_a_registry_that_is_down_is_mentioned_and_not_red(place: ServingWorld) -> None:
    place.world.settings = Settings(root=place.world.settings.root, tracking_uri="http://127.0.0.1:9")

    outputs = look(place)

    assert [remark.split(":")[0] for remark in outputs.remarks] == ["alias production", "alias previous"]
    assert outputs.num_agreed == 12


def test_an_edge_that_wants_a_key_is_mentioned_and_not_red(place: ServingWorld) -> None:
    place.green.key = "secret"
    place.engine.urls["green"] = "http://127.0.0.1:9"

    remarks = " ".join(look(place).remarks)

    assert "edge: " in remarks
    assert "golden answers: " in remarks
    assert "401" in remarks


def test_while_a_release_is_promoted_it_does_not_look(place: ServingWorld) -> None:
    for kind in ("approved", "promoting"):
        entry = event(kind, "c", evidence=evidence("c"), at=datetime.now(UTC))  # type: ignore[arg-type]
        place.ledger.append(lambda events, entry=entry: entry)  # type: ignore[misc]

    with pytest.raises(PromotionUnderWay, match="c is being promoted"):
        look(place)


def test_a_platform_with_nothing_in_production_is_skipped(tmp_path: Path) -> None:
    with serving_world(tmp_path) as place:
        place.router.state = None
        place.world.settings = Settings(root=tmp_path / "empty", tracking_uri="http://127.0.0.1:9")
        del place.world.__dict__["store"]
        place.world._journals.clear()

        with pytest.raises(NothingInProduction, match="ratchet up"):
            run(INPUTS, place.world)
