"""`ratchet releases`: from the ledger and the router alone, readable in 100 columns."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.events import event, evidence, sha
from tests.fakes.release_world import ReleaseWorld

from ratchet.cli.releases import as_json, gather, show
from ratchet.clients.ledger import BrokenJournal
from ratchet.clients.router import BrokenRoutes
from ratchet.core.errors import TerminalError
from ratchet.core.rollout import first_state, swapped_back, switched_to


@pytest.fixture
def place(tmp_path: Path) -> ReleaseWorld:
    """Release "b" is live on green; "a" waits on blue. MLflow is down, and there is no Airflow."""
    made = ReleaseWorld(tmp_path, "http://127.0.0.1:9")
    for kind in ("promoting", "promoted"):
        made.say(kind, "b", evidence=evidence("b"), colour="green", note="better on refunds")
    made.switch.state = switched_to(first_state("blue", "a", sha("a"), seq=0), "green", "b", sha("b"), seq=2)
    made.registry.away = True
    return made


def _table(place: ReleaseWorld, num_rows: int = 20) -> list[str]:
    console = Console(record=True, width=100)
    show(gather(place.world, "support"), num_rows, console)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_each_thing_that_happened_is_a_row_and_the_live_one_is_marked(place: ReleaseWorld) -> None:
    heading, bootstrap, approved, promoted, note = _table(place)

    assert heading.split() == ["when", "(UTC)", "release", "what", "on", "by", "model", "data"]
    assert bootstrap.split() == ["2026-01-05", "12:00", "a", "bootstrap", "mia", sha("a")[:8]]
    assert approved.split()[2:5] == ["b", "approved", "mia"]
    expected = ["live", "2026-01-05", "12:00", "b", "promoted", "green", "mia", sha("b")[:8], sha("data b")[:8]]
    assert promoted.split() == expected
    assert note.strip() == "better on refunds"


def test_only_the_newest_rows_are_shown_and_the_rest_is_counted(place: ReleaseWorld) -> None:
    table = _table(place, num_rows=1)

    assert "promoted" in table[1]
    assert table[3] == "2 earlier ones: `ratchet releases --last 0`"
    assert len(_table(place, num_rows=0)) == 5


def test_the_longest_row_fits_into_100_columns(place: ReleaseWorld) -> None:
    place.say("rejected", f"support-{sha('c')[:12]}", by="release-manager", note="x" * 300)
    place.say("rejected", f"support-base-{sha('d')[:12]}", by="release-manager", colour="green")

    table = _table(place)

    assert max(map(len, table)) <= 100
    assert len(table) == 8


def test_a_roll_back_that_the_ledger_does_not_know_yet_is_told_as_waiting(place: ReleaseWorld) -> None:
    assert place.switch.state is not None
    place.switch.state = swapped_back(place.switch.state)

    told = gather(place.world, "support")

    last = told.entries[-1]
    assert (last.event.kind, last.event.release_id, last.is_live, last.waits) == ("rolled_back", "a", True, True)
    assert any("not in the ledger yet" in line for line in _table(place))
    assert place.kinds[-1] == "promoted"


def test_users_on_what_was_never_released_are_told_of(place: ReleaseWorld) -> None:
    place.switch.state = first_state("blue", "x", sha("x"), seq=0)

    assert _table(place)[-1] == "users are on x, not on what the ledger says is live: `ratchet verify`"


def test_a_router_that_cannot_be_read_hides_nothing(place: ReleaseWorld) -> None:
    def broken() -> None:
        raise BrokenRoutes("routes.json: torn")

    place.switch.read = broken  # type: ignore[method-assign]

    table = _table(place)

    assert table[3].split()[3:5] == ["b", "promoted"]
    assert table[3].startswith("live")
    assert "the router cannot be asked" in table[-1]


def test_a_note_is_cut_at_the_edge_and_its_brackets_are_no_colours(place: ReleaseWorld) -> None:
    place.say("rejected", "c", note="[red]not now[/red] " + "x" * 200)

    note = _table(place)[-1]

    assert note.strip().startswith("[red]not now[/red]")
    assert note.endswith("…")


def test_machines_get_every_event_in_full(place: ReleaseWorld) -> None:
    told = json.loads(as_json(gather(place.world, "support")))

    assert [entry["kind"] for entry in told["events"]] == ["bootstrap", "approved", "promoting", "promoted"]
    assert [entry["is_live"] for entry in told["events"]] == [False, False, False, True]
    assert told["events"][3]["model"]["sha256"] == sha("b")
    assert told["router"]["active"] == "green"


def test_another_lines_history_is_read_without_this_lines_router(place: ReleaseWorld) -> None:
    place.world.ledger("sales").append(lambda events: event("bootstrap", "s", line="sales"))

    told = gather(place.world, "sales")

    assert ([entry.event.release_id for entry in told.entries], told.state) == (["s"], None)


def test_a_line_that_nobody_knows_is_refused_with_those_that_are_known(place: ReleaseWorld) -> None:
    with pytest.raises(TerminalError, match=r"suport has no releases yet.*lines with releases: support"):
        gather(place.world, "suport")


def test_a_broken_chain_is_said_not_shown(place: ReleaseWorld) -> None:
    first = place.bucket.root / "ledger/support/00000000.json"
    first.chmod(0o644)
    first.write_bytes(first.read_bytes().replace(b'"mia"', b'"eve"'))

    with pytest.raises(BrokenJournal, match=r"00000001\.json"):
        gather(place.world, "support")
