"""What other hands changed is found, and what is away is told from what differs."""

import json
from collections.abc import Callable

import pytest
from rich.console import Console
from tests.fakes.events import event, sha
from tests.unit.cli.verify.conftest import Platform

from ratchet.cli.verify import as_json, conclusion, show
from ratchet.clients.settings import Settings
from ratchet.clients.verification import heard
from ratchet.core.rollout import first_state
from ratchet.core.verification import exit_code


def test_a_platform_that_serves_what_was_approved_is_ok(platform: Platform) -> None:
    rows = platform.rows()

    assert {what: row.standing for what, row in rows.items()} == dict.fromkeys(rows, "ok")
    assert exit_code(list(rows.values())) == 0


def _tampered_event(platform: Platform) -> None:
    path = platform.ledger_file(1)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"by":"mia"', b'"by":"eve"'))


def _removed_event(platform: Platform) -> None:
    platform.ledger_file(1).unlink()


def _swapped_events(platform: Platform) -> None:
    one, two, aside = platform.ledger_file(1), platform.ledger_file(2), platform.ledger_file(1).parent.parent / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)


def _cut_off_events(platform: Platform) -> None:
    platform.ledger_file(3).unlink()
    platform.ledger_file(2).unlink()


def _torn_event(platform: Platform) -> None:
    path = platform.ledger_file(3)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:40])


def _tampered_weights(platform: Platform) -> None:
    path = platform.files / "model.safetensors"
    path.chmod(0o644)
    path.write_bytes(b"\x00\x01\x02\xff")


def _added_file(platform: Platform) -> None:
    (platform.files / "chat_template.jinja").write_text("{{ evil }}")


def _deleted_weights(platform: Platform) -> None:
    (platform.files / "model.safetensors").unlink()
    platform.files.rmdir()


def _router_elsewhere(platform: Platform) -> None:
    platform.place.router.state = first_state("blue", "a", sha("a"), seq=2)


def _engine_of_another_digest(platform: Platform) -> None:
    platform.place.green.models = {"support", "c", sha("c")}


def _broken_weights(platform: Platform) -> None:
    platform.place.green.has_nan = True


def _edge_behind(platform: Platform) -> None:
    platform.place.router.base_url = platform.place.engine.url("blue")
    platform.place.blue.edge("blue", "a")


def _alias_behind(platform: Platform) -> None:
    platform.registered.aliases = {"production": sha("a")}


@pytest.mark.parametrize(
    ("spoil", "what", "got"),
    [
        (_tampered_event, "ledger", "00000002.json: expected seq 2 after"),
        (_removed_event, "ledger", "expected ledger/support/00000001.json here: a record is missing"),
        (_swapped_events, "ledger", "00000001.json: expected seq 1 after"),
        (_torn_event, "ledger", "00000003.json: not a whole LedgerEvent"),
        (_cut_off_events, "ledger", "2 events, but users were moved by event 2: the newest were removed"),
        (_tampered_weights, "served files", ""),
        (_added_file, "served files", ""),
        (_deleted_weights, "served files", "is not there"),
        (_router_elsewhere, "router", f"a, model {sha('a')}"),
        (_engine_of_another_digest, "engine", f"it serves {', '.join(sorted({'support', 'c', sha('c')}))}"),
        (_broken_weights, "engine", "NaN"),
        (_edge_behind, "edge", "a on blue"),
    ],
)
def test_what_was_changed_by_other_hands_differs(
    platform: Platform, spoil: Callable[[Platform], None], what: str, got: str
) -> None:
    spoil(platform)

    rows = platform.rows()

    assert rows[what].standing == "differs"
    assert got in rows[what].got
    assert exit_code(list(rows.values())) == 1


def test_aliases_that_are_behind_as_after_a_roll_back_do_not_make_it_fail(platform: Platform) -> None:
    _alias_behind(platform)

    rows = list(platform.rows().values())

    assert [(row.what, row.got) for row in rows if row.standing == "differs"] == [
        ("alias production", sha("a")),
        ("alias previous", "none"),
    ]
    assert exit_code(rows) == 0
    assert conclusion(rows) == "what serves is what was approved; 2 aliases are behind, as after a roll-back"


def test_a_changed_file_names_both_digests_and_the_folder(platform: Platform) -> None:
    _tampered_weights(platform)

    row = platform.rows()["served files"]

    assert row.expected == platform.model.sha256
    assert len(row.got) == 64
    assert row.got != row.expected
    assert row.where == f"{platform.place.world.settings.state}/serving/models/"


def test_a_promotion_that_nobody_approved_differs(platform: Platform) -> None:
    """Forged with the chain intact: its story does not hold."""
    head = platform.place.ledger._read()[1]
    forged = event("promoted", "c", model=platform.model, seq=4).model_dump(mode="json")
    platform.place.world.store.create("ledger/support/00000004.json", {**forged, "previous_sha256": head})

    row = platform.rows()["ledger"]

    assert row.standing == "differs"
    assert "promoted of c is refused: no intent" in row.got


def test_with_the_platform_down_files_and_records_are_still_verified(platform: Platform) -> None:
    platform.place.engine.urls.clear()
    platform.place.router.base_url = "http://127.0.0.1:9"
    platform.place.world.settings = Settings(root=platform.place.world.settings.root, tracking_uri="http://127.0.0.1:9")

    rows = platform.rows()

    silent = {what for what, row in rows.items() if row.standing == "cannot tell"}
    assert silent == {"engine", "edge", "alias production", "alias previous"}
    assert {row.standing for what, row in rows.items() if what not in silent} == {"ok"}
    assert exit_code(list(rows.values())) == 3


def test_an_edge_that_wants_a_key_cannot_be_told(platform: Platform) -> None:
    platform.place.green.status = 401
    platform.place.engine.urls["green"] = "http://127.0.0.1:9"

    assert platform.rows()["edge"].standing == "cannot tell"


def test_a_kind_of_failure_that_nobody_foresaw_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        heard(lambda: 1 / 0)


# what is printed


def test_people_get_a_row_each_and_what_differs_in_full(platform: Platform) -> None:
    _tampered_weights(platform)
    platform.place.engine.urls.clear()
    rows = list(platform.rows().values())
    console = Console(record=True, width=100)

    show(rows, console)

    text = console.export_text()
    table = [(line[:18].strip(), line[18:29].strip()) for line in text.splitlines()[1:9]]
    assert table[:3] == [("ledger", "ok"), ("approval", "ok"), ("router", "ok")]
    assert table[3:5] == [("engine", "cannot tell"), ("served files", "differs")]
    assert table[6:] == [("alias production", "ok"), ("alias previous", "ok")]
    assert "served files: differs" in text
    assert f"expected  {platform.model.sha256}" in text
    assert "1 of 8 differ: what serves is not what the records say" in text
    assert max(map(len, text.splitlines()[:9])) <= 100


def test_machines_get_every_row_and_the_exit_code(platform: Platform) -> None:
    told = json.loads(as_json("support", list(platform.rows().values())))

    assert told["exit_code"] == 0
    assert [row["standing"] for row in told["rows"]] == ["ok"] * 8
