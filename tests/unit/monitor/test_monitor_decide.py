"""What the monitor is red for, what it only mentions, and when it does not look."""

from datetime import timedelta
from typing import Any

import pytest
from tests.fakes.events import NOON, RELEASED, event, story

from ratchet.clients.probe import Probe
from ratchet.core.verification import Heard, Row
from ratchet.monitor.contract import MonitorInputs
from ratchet.monitor.decide import Answers, NotAsApproved, PromotionUnderWay, check_calm, conclude

INPUTS = MonitorInputs(
    line="support",
    task="intent",
    num_golden_prompts=20,
    max_answer_tokens=48,
    min_golden_agreement=0.9,
    max_error_rate=0.05,
)


def row(what: str, standing: Any = "ok") -> Row:
    return Row(what=what, standing=standing, expected="b", got="c", where="there", remedy="do this")


def probes(agreeing: int = 20, differing: int = 0, failed: int = 0, release: str = "b") -> list[Probe]:
    return [
        *[Probe(release=release, agrees=True)] * agreeing,
        *[Probe(release=release, agrees=False)] * differing,
        *[Probe(problem="nobody is there")] * failed,
    ]


def golden(**counts: Any) -> Heard[Answers]:
    return Heard(Answers(probes(**counts), has_golden=True))


def test_production_as_approved_is_in_order() -> None:
    outputs = conclude(INPUTS, "b", [row("ledger"), row("router")], golden())

    assert (outputs.release_id, outputs.num_ok, outputs.num_golden, outputs.num_agreed) == ("b", 2, 20, 20)
    assert outputs.remarks == ()


@pytest.mark.parametrize("what", ["ledger", "approval", "router", "engine", "served files", "edge"])
def test_a_difference_is_red_with_expected_got_and_what_to_do(what: str) -> None:
    with pytest.raises(NotAsApproved, match=rf"{what}: expected b, got c \(there\). do this") as caught:
        conclude(INPUTS, "b", [row(what, "differs")], golden())

    assert caught.value.exit_code == 75  # looked at again before anybody is called


def test_every_difference_is_named_at_once() -> None:
    rows = [row("router", "differs"), row("engine", "differs"), row("edge")]

    with pytest.raises(NotAsApproved, match=r"router: .*engine: .*users: 17 of 20") as caught:
        conclude(INPUTS, "b", rows, golden(agreeing=17, differing=3))

    assert "edge:" not in str(caught.value)


@pytest.mark.parametrize("what", ["ledger", "engine", "served files", "edge", "alias production"])
def test_what_could_not_be_seen_is_said_and_is_not_red(what: str) -> None:
    outputs = conclude(INPUTS, "b", [row(what, "cannot tell")], golden())

    assert outputs.remarks == (f"{what}: c",)


def test_an_alias_that_is_behind_decides_nothing_so_it_is_only_mentioned() -> None:
    assert conclude(INPUTS, "b", [row("alias production", "differs")], golden()).remarks == ("alias production: c",)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"agreeing": 18, "differing": 2}, None),
        ({"agreeing": 17, "differing": 3}, "17 of 20 golden prompts are answered as in the evaluation"),
        ({"agreeing": 19, "failed": 1}, None),
        ({"agreeing": 18, "failed": 2}, "2 of 20 requests failed; the last one: nobody is there"),
        ({"agreeing": 0, "failed": 20}, "20 of 20 requests failed"),
        ({"release": "x"}, "answered by x, expected b"),
        ({"release": None}, "answered by None, expected b"),
    ],
)
def test_users_must_be_answered_by_production_as_it_was_approved(counts: dict[str, Any], words: str | None) -> None:
    if words is None:
        assert conclude(INPUTS, "b", [row("edge")], golden(**counts)).num_agreed == counts["agreeing"]
    else:
        with pytest.raises(NotAsApproved, match=words):
            conclude(INPUTS, "b", [row("edge")], golden(**counts))


def test_the_untuned_base_need_only_answer() -> None:
    answered = Heard(Answers(probes(agreeing=0, differing=1), has_golden=False))

    assert conclude(INPUTS, "b", [row("edge")], answered).num_golden == 0
    with pytest.raises(NotAsApproved, match="1 of 1 requests failed"):
        conclude(INPUTS, "b", [row("edge")], Heard(Answers(probes(agreeing=0, failed=1), has_golden=False)))


def test_golden_answers_that_could_not_be_asked_for_are_said() -> None:
    assert conclude(INPUTS, "b", [row("edge")], Heard(silence="it wants a key")).remarks == (
        "golden answers: it wants a key",
    )


@pytest.mark.parametrize(
    ("events", "hours", "looks"),
    [
        (RELEASED[:3], 1, False),
        (RELEASED[:3], 11.9, False),
        (RELEASED[:3], 13, True),  # whoever began this promotion is gone, and should have finished or undone it
        (RELEASED, 1, True),
        (story(*RELEASED[:3], event("aborted", "b")), 1, True),
    ],
)
def test_while_users_are_being_moved_the_monitor_does_not_look(events: Any, hours: float, looks: bool) -> None:
    now = NOON + timedelta(hours=hours)
    if looks:
        check_calm(events, now)
    else:
        with pytest.raises(PromotionUnderWay, match="b is being promoted since") as caught:
            check_calm(events, now)
        assert caught.value.exit_code == 99
