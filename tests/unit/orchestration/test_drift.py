"""What users ask is compared once there is enough of it, told once, and an event only where something drifted."""

import logging
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from tests.fakes.datasets import DATASET, hand_in
from tests.fakes.events import event
from tests.fakes.looks import look

from ratchet.clients.world import World
from ratchet.core.drift import EMBEDDING
from ratchet.core.drifts import Drift
from ratchet.core.refs import FolderRef, blob_uri
from ratchet.orchestration.drift import LIVE_DAYS, MIN_TEXTS, FindBase, LookAtUsers, TellDrift
from ratchet.serving.capture import write

ROOT = Path(__file__).parents[3]
BASE = FolderRef(uri=blob_uri("ba" * 32), sha256="ba" * 32, bytes=1)


@pytest.fixture
def trained(world: World) -> World:
    """Production was trained on the dataset's first version; a second one is newer."""
    rows = hand_in(world, "one").version.rows
    hand_in(world, "two")
    world.store.create("bases/tiny.json", BASE)
    for kind in ("bootstrap", "approved", "promoting", "promoted"):
        release = "base" if kind == "bootstrap" else "a"
        dataset = None if kind == "bootstrap" else rows.sha256
        made = event(kind, release, dataset_sha256=dataset)  # type: ignore[arg-type]
        world.ledger("support").append(lambda _, made=made: made)  # type: ignore[misc]
    return world


def asked(world: World, num: int, days_ago: int = 1) -> None:
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    for number in range(num):
        record = {"prompt": [{"role": "user", "content": f"question {number}"}], "answer": ["refund"]}
        write(world.settings.capture_dir, f"{day}-blue.jsonl", record)


def looking() -> dict[str, Any]:
    return LookAtUsers(task_id="look", line="support", dataset=DATASET, base="tiny").execute({})


def telling(found: Drift, run_id: str = "run") -> dict[Any, Any]:
    """The events that it emitted."""
    told = found.model_dump(mode="json")
    looked = {
        **{name: told[name] for name in ("release_id", "dataset_sha256", "num_texts")},
        "current": {name: told[name] for name in ("first_day", "last_day")},
    }
    task = TellDrift(
        task_id="tell", line="support", looked=looked, found={name: told[name] for name in ("shifts", "embedding")}
    )
    events: dict[Any, Any] = defaultdict(SimpleNamespace)
    task.execute({"run_id": run_id, "outlet_events": events})
    return {asset.uri: event.extra for asset, event in events.items()}


def test_the_texts_of_whole_days_are_compared_with_what_production_was_trained_on(trained: World) -> None:
    asked(trained, MIN_TEXTS)
    asked(trained, 7, days_ago=0)
    asked(trained, 7, days_ago=LIVE_DAYS + 1)

    seen = looking()

    today = datetime.now(UTC).date()
    assert seen["num_texts"] == MIN_TEXTS
    assert seen["current"]["first_day"] == f"{today - timedelta(days=LIVE_DAYS)}"
    assert seen["current"]["last_day"] == f"{today - timedelta(days=1)}"
    assert seen["reference"]["sha256"] == trained.datasets(DATASET).records()[0].rows.sha256
    assert seen["base"] == BASE.model_dump(mode="json")
    assert "question" not in str(seen)


def test_with_fewer_texts_the_look_is_skipped_and_says_why(trained: World) -> None:
    asked(trained, MIN_TEXTS - 1)

    with pytest.raises(AirflowSkipException, match=r"99 texts .* at least 100; \[edge\] capture_share .* is 0"):
        looking()


def test_without_a_release_that_was_trained_there_is_nothing_to_compare_with(world: World) -> None:
    asked(world, MIN_TEXTS)

    with pytest.raises(AirflowSkipException, match="trained on no version"):
        looking()


def test_what_no_retry_mends_fails_at_once_and_names_what_explains_it(trained: World) -> None:
    for path in (trained.settings.state / "store" / "ledger").rglob("*.json"):
        path.chmod(0o600)
        path.write_text("{}", "utf-8")

    with pytest.raises(AirflowFailException, match="ratchet explain LEDGER_BROKEN"):
        looking()


def test_earlier_looks_say_what_is_usual(trained: World) -> None:
    asked(trained, MIN_TEXTS)
    for number in range(2):
        trained.drifts("support").append(lambda _, number=number: look(0.1 * number, run_id=f"{number}"))  # type: ignore[misc]

    assert looking()["usual"] == {"words": (0.0, 0.1), EMBEDDING: (0.0, 0.0)}


def test_drift_is_recorded_told_and_an_event(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ratchet.notify"):
        events = telling(look(embedding=0.02))

    assert events == {"ratchet://drifts/support": {"line": "support", "drifted": [EMBEDDING]}}
    assert [one.drifted for one in world.drifts("support").records()] == [(EMBEDDING,)]
    (message,) = caplog.messages
    assert "200 texts from 2026-01-02 to 2026-01-08" in message
    assert "embedding 0.020 (told above 0.010)" in message


def test_a_look_that_found_nothing_is_recorded_and_skipped(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AirflowSkipException, match="200 texts of users are like what support-1 was trained on"):
        telling(look())

    assert len(world.drifts("support").records()) == 1
    assert not caplog.messages


def test_drift_that_goes_on_is_told_once_and_an_event_each_time(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ratchet.notify"):
        both = [telling(look(embedding=0.02), run_id) for run_id in ("monday", "tuesday")]

    assert len(caplog.messages) == 1
    assert all(both)


def test_a_run_that_is_cleared_is_not_recorded_or_told_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ratchet.notify"):
        for _ in range(2):
            telling(look(embedding=0.02))

    assert len(world.drifts("support").records()) == len(caplog.messages) == 1


def test_an_upload_is_compared_when_there_are_rows_before_it_and_a_base(world: World) -> None:
    def finding(previous: Any) -> Any:
        return FindBase(task_id="base", base="tiny", previous=previous).execute({})

    with pytest.raises(AirflowSkipException, match="the dataset begins with this file"):
        finding(None)
    with pytest.raises(AirflowSkipException, match="no base model named 'tiny' yet"):
        finding({"sha256": "…"})
    world.store.create("bases/tiny.json", BASE)
    assert finding({"sha256": "…"}) == BASE.model_dump(mode="json")
