"""Each row of `ratchet verify` says yes, no and "cannot tell", on plain data."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.events import event, evidence, model, parts, sha, story

from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import first_state, swapped_back, switched_to
from ratchet.core.verification import AtEdge, Facts, Heard, Row, exit_code, verify

BOUND = evidence("b")
EVENTS = story(
    event("bootstrap", "a"),
    event("approved", "b"),
    event("promoting", "b", evidence=BOUND),
    event("promoted", "b", evidence=BOUND),
)
ON_B = switched_to(first_state("blue", "a", sha("a"), seq=0), "green", "b", sha("b"), seq=2)
FACTS = Facts(
    line="support",
    ledger=Heard(EVENTS),
    num_waiting=0,
    router=Heard(ON_B),
    engine=Heard(sha("b")),
    files=Heard(sha("b")),
    files_where="serving/models/",
    edge=Heard(AtEdge("b", "green")),
    aliases=Heard({"production": sha("b"), "previous": sha("a")}),
)
ROWS = ("ledger", "approval", "router", "engine", "served files", "edge", "alias production", "alias previous")


def _row(facts: Facts, what: str) -> Row:
    return next(row for row in verify(facts) if row.what == what)


def test_when_all_agree_every_row_is_ok() -> None:
    rows = verify(FACTS)

    assert tuple(row.what for row in rows) == ROWS
    assert {row.standing for row in rows} == {"ok"}
    assert [row.remedy for row in rows] == [""] * len(ROWS)
    assert exit_code(rows) == 0


@pytest.mark.parametrize(
    ("what", "change", "got"),
    [
        ("ledger", {"ledger": Heard(fault="00000002.json: expected seq 2 after 12, got 34")}, "00000002.json"),
        ("router", {"router": Heard(first_state("green", "x", sha("x"), seq=0))}, f"x, model {sha('x')}"),
        ("router", {"router": Heard(fault="routes.json: torn")}, "torn"),
        ("engine", {"engine": Heard(fault="green does not answer as b; it serves c")}, "it serves c"),
        ("engine", {"engine": Heard(sha("c"))}, sha("c")),
        ("served files", {"files": Heard(sha("tampered"))}, sha("tampered")),
        ("edge", {"edge": Heard(AtEdge("a", "blue"))}, "a on blue"),
        ("edge", {"edge": Heard(AtEdge(None, None))}, "None on None"),
    ],
)
def test_what_differs_is_told_with_what_came_and_what_to_do(what: str, change: dict[str, Any], got: str) -> None:
    rows = verify(replace(FACTS, **change))
    row = next(row for row in rows if row.what == what)

    assert row.standing == "differs"
    assert got in row.got
    assert row.expected
    assert row.where
    assert row.remedy
    assert exit_code(rows) == 1


@pytest.mark.parametrize(
    ("what", "aliases", "got"),
    [
        ("alias production", {"production": sha("a"), "previous": sha("a")}, sha("a")),
        ("alias previous", {"production": sha("b")}, "none"),
        ("alias production", {}, "none"),
    ],
)
def test_an_alias_that_is_behind_is_told_and_decides_nothing(what: str, aliases: dict[str, str], got: str) -> None:
    rows = verify(replace(FACTS, aliases=Heard(aliases)))
    row = next(row for row in rows if row.what == what)

    assert (row.standing, row.got, row.is_behind) == ("differs", got, True)
    assert "the next release mends it" in row.remedy
    assert exit_code(rows) == 0


BOUND_AS_ADAPTER = evidence("b", served_as=parts("b"))
AS_ADAPTER = replace(
    FACTS,
    ledger=Heard(
        story(
            event("bootstrap", "a"),
            event("approved", "b", parts=parts("b")),
            event("promoting", "b", parts=parts("b"), evidence=BOUND_AS_ADAPTER),
            event("promoted", "b", parts=parts("b"), evidence=BOUND_AS_ADAPTER),
        )
    ),
    files=Heard(parts("b").digests),
)


def test_in_the_adapter_lane_the_files_are_adapter_and_base() -> None:
    rows = verify(AS_ADAPTER)

    assert {row.standing for row in rows} == {"ok"}
    assert _row(AS_ADAPTER, "served files").got == f"adapter {sha('adapter of b')} on base {sha('base')}"


@pytest.mark.parametrize("served", [parts("c").digests, sha("b")], ids=["another adapter", "the merged model"])
def test_what_serves_otherwise_than_it_was_approved_differs(served: str) -> None:
    row = _row(replace(AS_ADAPTER, files=Heard(served)), "served files")

    assert (row.standing, row.expected, row.got) == ("differs", parts("b").digests, served)


def test_an_adapter_that_nobody_approved_differs() -> None:
    events = list(AS_ADAPTER.ledger.value or ())
    other = {"parts": parts("c"), "evidence": evidence("b", served_as=parts("c"))}
    row = _row(replace(AS_ADAPTER, ledger=Heard([*events[:3], events[3].model_copy(update=other)])), "approval")

    assert row.standing == "differs"
    assert f"adapter: {sha('adapter of b')[:12]} approved, {sha('adapter of c')[:12]} promoted" in row.got


@pytest.mark.parametrize(
    ("field", "silent"),
    [
        ("router", {"router", "edge"}),
        ("engine", {"engine"}),
        ("files", {"served files"}),
        ("edge", {"edge"}),
        ("aliases", {"alias production", "alias previous"}),
    ],
)
def test_a_silence_is_never_taken_for_a_yes(field: str, silent: set[str]) -> None:
    rows = verify(replace(FACTS, **{field: Heard(silence="connection refused")}))

    assert {row.what for row in rows if row.standing == "cannot tell"} == silent
    assert {row.standing for row in rows if row.what not in silent} == {"ok"}
    assert exit_code(rows) == 3


@pytest.mark.parametrize("ledger", [Heard(silence="the store is away"), Heard(fault="a broken chain")])
def test_without_a_whole_ledger_nothing_else_can_be_told(ledger: Heard[Sequence[LedgerEvent]]) -> None:
    rows = verify(replace(FACTS, ledger=ledger))

    assert [row.standing for row in rows[1:]] == ["cannot tell"] * (len(ROWS) - 1)
    assert exit_code(rows) == (1 if ledger.fault else 3)


def test_a_difference_outweighs_a_silence() -> None:
    assert exit_code(verify(replace(FACTS, engine=Heard(silence="down"), files=Heard(sha("other"))))) == 1


def test_events_that_were_cut_off_the_end_are_missed_by_the_router() -> None:
    row = _row(replace(FACTS, ledger=Heard(EVENTS[:2])), "ledger")

    assert row.standing == "differs"
    assert row.got == "2 events, but users were moved by event 2: the newest were removed"


def test_before_anything_was_released_nothing_can_be_told() -> None:
    nothing: Facts = replace(FACTS, ledger=Heard(()), router=Heard(silence="told nothing yet"))

    assert [row.standing for row in verify(nothing)] == ["ok"] + ["cannot tell"] * (len(ROWS) - 1)


def test_a_roll_back_that_waits_is_named_in_what_to_do() -> None:
    row = _row(replace(FACTS, router=Heard(swapped_back(ON_B)), num_waiting=1), "router")

    assert row.standing == "differs"
    assert row.remedy.startswith("1 events wait beside the router")


# approval


def _approval(*events: LedgerEvent) -> Row:
    return _row(replace(FACTS, ledger=Heard(story(*events))), "approval")


def test_the_untuned_base_needs_no_approval_and_the_registry_need_not_know_it_yet() -> None:
    facts = replace(
        FACTS,
        ledger=Heard(EVENTS[:1]),
        router=Heard(first_state("blue", "a", sha("a"), seq=0)),
        engine=Heard(sha("a")),
        files=Heard(sha("a")),
        edge=Heard(AtEdge("a", "blue")),
        aliases=Heard({}),
    )

    assert {row.standing for row in verify(facts)} == {"ok"}
    assert "needs none" in _row(facts, "approval").got


def test_after_a_roll_back_the_approval_is_that_of_what_was_gone_back_to() -> None:
    to_base = _approval(*EVENTS, event("rolled_back", "a"))
    bound = evidence("c", baseline="b")
    then = (event("approved", "c"), event("promoting", "c"), event("promoted", "c", evidence=bound))
    to_tuned = _approval(*EVENTS, *then, event("rolled_back", "b"))

    assert (to_base.standing, to_tuned.standing) == ("ok", "ok")
    assert to_tuned.got == "event 1: approved by mia, 2026-01-05 12:01 UTC"


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((EVENTS[0], EVENTS[2], EVENTS[3]), "no approval of b stands before event 2, which promoted it"),
        ((EVENTS[0], EVENTS[2], EVENTS[3], EVENTS[1]), "no approval of b stands before event 2"),
        ((*EVENTS[:2], event("rejected", "b"), *EVENTS[2:]), "event 2 by mia rejected b, yet it was promoted"),
        ((*EVENTS[:3], event("promoted", "b")), "candidate: 3e23e8160039 approved, nothing promoted"),
        (
            (EVENTS[0], event("approved", "b", evidence=evidence("b", baseline="x")), *EVENTS[2:]),
            f"production then: {sha('x')[:12]} approved, {sha('a')[:12]} promoted",
        ),
        (
            (EVENTS[0], event("approved", "b", evidence=evidence("other")), *EVENTS[2:]),
            f"model: {sha('other')[:12]} approved, {sha('b')[:12]} promoted",
        ),
    ],
    ids=["none", "after it", "rejected", "no evidence", "another baseline", "another candidate"],
)
def test_what_went_live_without_a_yes_to_exactly_it_differs(events: tuple[LedgerEvent, ...], words: str) -> None:
    row = _approval(*events)

    assert row.standing == "differs"
    assert words in row.got


@pytest.mark.parametrize("name", ["candidate", "baseline", "bundle", "report", "recipe"])
def test_each_digest_that_an_approval_binds_is_compared(name: str) -> None:
    promoted = BOUND.model_copy(update={f"{name}_sha256": sha("swapped")})

    row = _approval(*EVENTS[:3], event("promoted", "b", evidence=promoted))

    assert row.standing == "differs"
    assert f"{name}: {BOUND.model_dump()[f'{name}_sha256'][:12]} approved, {sha('swapped')[:12]} promoted" in row.got


def test_another_model_under_an_approved_release_id_was_not_approved() -> None:
    row = _approval(
        *EVENTS[:2], *(event(k, "b", model=model("evil"), evidence=BOUND) for k in ("promoting", "promoted"))
    )

    assert f"model: {sha('b')[:12]} approved, {sha('evil')[:12]} promoted" in row.got
