"""What the store's journals say, as metrics; and that their number does not grow with history."""

import json
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from tests.fakes.costs import JANUARY, done, rates, run
from tests.fakes.datasets import DATASET, hand_in
from tests.fakes.events import NOON, evidence, sha
from tests.fakes.looks import judged, look
from tests.fakes.metrics import Series, series, value
from tests.fakes.pipeline import healthy
from tests.fakes.records import drill, notice
from tests.fakes.release_world import ReleaseWorld

from ratchet.clients import manifests
from ratchet.core.budget import Budget
from ratchet.core.feedback import Feedback, Rating, SentFeedback, kept_of
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.core.rollout import with_canary
from ratchet.serving.feedback.inbox import Inbox
from ratchet.sight import costs, datasets, drifts, drills, feedback, ledger, quality, router, work

DAY, WEEK = 86_400.0, 7 * 86_400.0


@pytest.fixture
def place(tmp_path: Path) -> ReleaseWorld:
    """Release "a" is live on blue; "b" is staged on green and approved."""
    return ReleaseWorld(tmp_path, "http://127.0.0.1:9")


def _ledger(place: ReleaseWorld, now: datetime = NOON) -> Series:
    return series(ledger.families(ledger.gather(place.world, "support", now, WEEK, 2 * DAY)))


def test_production_is_as_old_as_its_first_day_even_after_a_roll_back(place: ReleaseWorld) -> None:
    place.say("promoting", "b", at=NOON + timedelta(days=1), evidence=evidence("b"))
    place.say("promoted", "b", at=NOON + timedelta(days=1), evidence=evidence("b"))
    after = _ledger(place)
    place.say("rolled_back", "a", at=NOON + timedelta(days=2), dataset_sha256=None)
    back = _ledger(place)

    assert value(after, "ratchet_production_timestamp_seconds") == NOON.timestamp() + DAY
    assert value(back, "ratchet_production_timestamp_seconds") == NOON.timestamp()
    assert value(back, "ratchet_production_info", release="a", model=sha("a")[:12]) == 1
    assert value(back, "ratchet_ledger_last_event_timestamp_seconds", kind="rolled_back") == NOON.timestamp() + 2 * DAY
    assert value(back, "ratchet_ledger_events_total", kind="promoted") == 1
    assert value(back, "ratchet_ledger_events_total", kind="aborted") == 0


def test_a_promotion_is_under_way_until_it_ends_or_belongs_to_nobody(place: ReleaseWorld) -> None:
    place.say("promoting", "b", at=NOON, evidence=evidence("b"))

    assert value(_ledger(place, NOON + timedelta(hours=1)), "ratchet_promotion_under_way") == 1
    assert value(_ledger(place, NOON + timedelta(hours=13)), "ratchet_promotion_under_way") == 0


def test_a_request_waits_from_when_it_was_sent_until_it_is_answered(place: ReleaseWorld) -> None:
    place.world.notices("support").append(lambda _: notice(moment="asked", release_id="c", run_id="r1", at=NOON))
    waiting = _ledger(place, NOON + timedelta(hours=1))
    place.say("rejected", "c", at=NOON + timedelta(hours=2), note="no")
    answered = _ledger(place, NOON + timedelta(hours=3))

    assert value(waiting, "ratchet_approvals_waiting") == 1
    assert value(waiting, "ratchet_approval_requested_timestamp_seconds") == NOON.timestamp()
    assert value(answered, "ratchet_approvals_waiting") == 0
    assert value(answered, "ratchet_approval_requested_timestamp_seconds") is None


def test_a_canary_is_seen_with_its_share(place: ReleaseWorld) -> None:
    calm = series(router.families(router.gather(place.world, "support")))
    assert place.switch.state is not None
    place.switch.state = with_canary(place.switch.state, "b", sha("b"), 10, seq=2)
    trying = series(router.families(router.gather(place.world, "support")))

    assert value(calm, "ratchet_canary_active") == 0
    assert value(calm, "ratchet_traffic_ratio", colour="blue", release="a") == 1
    assert value(trying, "ratchet_canary_active") == 1
    assert value(trying, "ratchet_canary_traffic_ratio") == 0.1
    assert value(trying, "ratchet_traffic_ratio", colour="green", release="b") == 0.1


def test_a_drill_is_due_since_the_last_one_or_since_there_is_a_way_back(place: ReleaseWorld) -> None:
    def seen() -> Series:
        return series(drills.families(drills.gather(place.world, "support", WEEK)))

    never = seen()
    for kind in ("promoting", "promoted"):
        place.say(kind, "b", at=NOON + timedelta(days=1), evidence=evidence("b"))
    promoted = seen()
    place.world.drills("support").append(lambda _: drill(at=NOON + timedelta(days=3)))

    assert value(never, "ratchet_drill_due_since_timestamp_seconds") is None
    assert value(promoted, "ratchet_drill_due_since_timestamp_seconds") == NOON.timestamp() + DAY
    assert value(seen(), "ratchet_drill_due_since_timestamp_seconds") == NOON.timestamp() + 3 * DAY
    assert value(seen(), "ratchet_drill_switch_seconds") == 0.01


def test_what_users_ask_is_told_as_the_last_look_found_it(place: ReleaseWorld) -> None:
    before = series(drifts.families(drifts.gather(place.world, "support")))
    for words in (0.05, 0.3):
        place.world.drifts("support").append(lambda _, words=words: look(words, embedding=0.004, run_id=f"{words}"))  # type: ignore[misc]
    found = series(drifts.families(drifts.gather(place.world, "support")))

    assert not before
    assert value(found, "ratchet_live_drift", feature="words") == 0.3
    assert value(found, "ratchet_live_drift_limit", feature="words") == 0.1
    assert value(found, "ratchet_live_drift", feature="embedding") == 0.004
    assert value(found, "ratchet_live_drift_texts") == 200


def _spent(place: ReleaseWorld, currency: str = "EUR", budget: Budget | None = None) -> Series:
    now = JANUARY + timedelta(days=1)
    return series(costs.families(costs.gather(place.world, "support", now, currency, budget)))


def test_a_release_costs_what_all_its_runs_did_and_the_second_engine_meanwhile(place: ReleaseWorld) -> None:
    both = rates(serving_per_hour=2.0)
    for told in (
        run("old", done("gate", 3600.0), run_id="1"),
        run("new", done("gate", 1800.0), run_id="2", rates=both),
        run("new", done("stage", 3600.0), run_id="3", rates=both, overlap_seconds=7200.0),
    ):
        place.world.costs("support").append(lambda _, told=told: told)  # type: ignore[misc]
    found = _spent(place, budget=Budget(per_release=5.0, per_month=20.0))

    assert value(found, "ratchet_release_cost", kind="cpu", currency="EUR") == 1.5
    assert value(found, "ratchet_release_cost", kind="serving") == 4.0
    assert value(found, "ratchet_release_budget") == 5.0
    assert value(found, "ratchet_month_cost") == 6.5
    assert value(found, "ratchet_month_budget") == 20.0


def test_without_prices_or_in_another_currency_no_money_is_told(place: ReleaseWorld) -> None:
    place.world.costs("support").append(lambda _: run("old", done("gate", 3600.0)))

    assert not _spent(place, currency="", budget=Budget(per_release=5.0))
    assert value(_spent(place, currency="USD"), "ratchet_month_cost", currency="USD") == 0
    assert value(_spent(place, currency="USD"), "ratchet_release_cost") is None


def _said(request_id: str, release: str, rating: Rating) -> Feedback:
    logged = {"request_id": request_id, "key": "mia", "release": release, "colour": "blue", "at": NOON}
    return kept_of(SentFeedback(answer=request_id, rating=rating), logged, None, datetime.now(UTC))


def test_what_was_said_of_answers_is_told_of_releases_that_were_in_production(place: ReleaseWorld) -> None:
    inbox = Inbox(place.world.settings.state / "feedback", days=30)
    told: list[tuple[str, Rating]] = [("a", "down"), ("a", "up"), ("a", "up"), ("long ago", "down")]
    for number, (release, rating) in enumerate(told):
        inbox.keep(_said(f"r{number}", release, rating))
    found = series(feedback.families(feedback.gather(place.world, "support", inbox)))

    assert value(found, "ratchet_feedback_answers", release="a", rating="up") == 2
    assert value(found, "ratchet_feedback_answers", release="a", rating="down") == 1
    assert value(found, "ratchet_feedback_answers", release="long ago") is None
    assert value(found, "ratchet_feedback_waiting") == 2


def test_the_last_look_at_answers_is_told_with_intervals_and_limits(place: ReleaseWorld) -> None:
    before = series(quality.families(quality.gather(place.world, "support")))
    place.world.quality("support").append(lambda _: judged("a", right=60, hits=10, kpi=0.2))
    found = series(quality.families(quality.gather(place.world, "support")))

    assert not before
    for guard in ("toxic", "injection"):
        told = {end: value(found, f"ratchet_live_{guard}_ratio{end}", side="answer") for end in ("_low", "", "_high")}
        assert told["_low"] < told[""] == 0.05 < told["_high"]  # type: ignore[operator]
        assert value(found, f"ratchet_live_{guard}_ratio_limit", side="prompt") == 0.02
    assert value(found, "ratchet_agreement_ratio", release="a") == 0.6
    assert value(found, "ratchet_agreement_gate_ratio", release="a") == 0.95
    assert value(found, "ratchet_agreement_fallen", release="a") == 1
    assert value(found, "ratchet_kpi", kpi="reopened") == 0.2
    assert value(found, "ratchet_kpi_missed", kpi="reopened") == 1


def test_uploads_are_counted_once_and_a_forgetting_is_no_upload(place: ReleaseWorld) -> None:
    hand_in(place.world, "one", "two")
    hand_in(place.world, "three", file_name="next.csv")
    found = series(datasets.families(datasets.Datasets(place.world, "support", DATASET).gather()))

    assert value(found, "ratchet_dataset_rows") == 3


def test_reasons_and_drift_are_those_of_the_receipts() -> None:
    reasons = [
        {"reason": "text_length", "rule": "10 to 4096", "action": "quarantine", "num_rows": 3, "examples": []},
        {"reason": "secret", "rule": "no keys", "action": "quarantine", "num_rows": 0, "examples": []},
        {"reason": "personal", "rule": "no names", "action": "redact", "num_rows": 5, "examples": []},
    ]
    shift = {"feature": "label", "psi": 0.4, "js": 0.2, "limit": 0.15, "movers": []}
    told = {"num_read": 100, "num_accepted": 97, "num_quarantined": 3, "reasons": reasons}
    read = datasets.upload({**told, "changes": {"shifts": [shift]}})
    found = series(datasets.families(datasets.DatasetFacts("support", (), [read, datasets.upload(told)][::-1])))

    assert value(found, "ratchet_intake_rows_total", outcome="accepted") == 194
    assert value(found, "ratchet_intake_rows_quarantined_total", reason="text_length") == 6
    assert value(found, "ratchet_intake_rows_quarantined_total", reason="secret") == 0
    assert value(found, "ratchet_intake_rows_quarantined_total", reason="personal") is None
    assert value(found, "ratchet_intake_quarantined_ratio") == 0.03
    assert value(found, "ratchet_drift_psi", feature="label") == 0.4
    assert value(found, "ratchet_drift_psi_limit", feature="label") == 0.15


@pytest.mark.parametrize(
    ("before", "limit"),
    [
        ([0.01] * 4, None),  # too little is known
        ([0.01] * 5, 0.05),  # even, and below what is worth telling
        ([0.1, 0.2, 0.1, 0.2, 0.15], 0.3),
    ],
)
def test_what_is_unusual_is_told_by_the_uploads_before(before: list[float], limit: float | None) -> None:
    found = datasets.usual_limit(before)

    assert found == (None if limit is None else pytest.approx(limit))


def test_finished_and_failed_work_is_read_once_and_told_by_step(place: ReleaseWorld) -> None:
    store = place.world.store
    seen = work.Work(store, "support")
    for number, seconds in enumerate((10.0, 30.0)):
        at = NOON + timedelta(minutes=number)
        done = Manifest(
            step="finetune",
            key=sha(str(number)),
            outputs={},
            started_at=at,
            wall_seconds=seconds,
            peak_memory_mib=2.0,
        )
        manifests.write(store, done)
        failed = {
            "error": "StoreAway",
            "message": "m",
            "exit_code": 75,
            "code": "STORE_AWAY",
            "traceback": None,
            "at": at,
        }
        manifests.write_error(store, ErrorRecord(step="finetune", key=sha("x"), **failed))
        found = series(work.families(seen.gather()))

    assert value(found, "ratchet_step_duration_seconds_count", step="finetune") == 2
    assert value(found, "ratchet_step_duration_seconds_sum", step="finetune") == 40
    assert value(found, "ratchet_step_last_duration_seconds", step="finetune") == 30
    assert value(found, "ratchet_step_peak_memory_bytes", step="finetune") == 2 * 2**20
    assert value(found, "ratchet_step_failures_total", step="finetune", code="STORE_AWAY") == 2


def test_fifty_releases_later_there_are_no_more_series() -> None:
    early, late = (series(healthy(NOON, weeks).families()) for weeks in (7, 57))

    assert {name for name, _ in late} == {name for name, _ in early}
    assert len(late) == len(early)
    releases = {dict(labels)["release"] for _, labels in late if "release" in dict(labels)}
    assert releases == {"release-55", "release-56"}


def test_no_prompt_row_or_name_of_a_person_is_told(place: ReleaseWorld) -> None:
    hand_in(place.world, "my secret text")

    world = place.world
    seen = (
        ledger.families(ledger.gather(world, "support", NOON, WEEK, DAY)),
        datasets.families(datasets.Datasets(world, "support", DATASET).gather()),
    )

    told = json.dumps([[name, sorted(labels)] for name, labels in series(chain.from_iterable(seen))])

    assert "secret" not in told
    assert "mia" not in told
