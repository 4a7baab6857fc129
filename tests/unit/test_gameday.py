"""The parts of a game day that need no platform: rules in a hurry, what a runbook tells to type, what came of it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.gameday import day, hurry, runbook, tables
from tests.gameday.faults import FAULTS, Fault
from tests.gameday.place import ROOT, Typed, environment
from tests.gameday.users import Asked, Noticed, noticed
from tests.gameday.watch import Seen, Watch
from tests.prometheus import tool
from tests.unit.sight.test_alerts import NAMES, RULES

from ratchet.cli.parser import parser

PAGE = """# RatchetRunFails: runs fail

## Do this

1. Look first: `ratchet status`. Then `ratchet submit FILE`, or `ratchet
   submit FILE --replace`.
2. `ratchet up`.

| the log says | what to do |
|---|---|
| users: n of m failed | `ratchet rollback --reason "too slow"` |

On-call does not run `ratchet clean`.

## How to know that it worked

`ratchet verify` ends with 0.
"""


@pytest.mark.parametrize(
    ("written", "hurried"),
    [
        ("up == 0", "up == 0"),
        ("rate(x[5m]) > 0.1", "rate(x[30000ms]) > 0.1"),
        ("rate(x[1h30m])", "rate(x[540000ms])"),
        ("x offset 5m", "x offset 30000ms"),
        ('time() - x{kind="aborted"} < 6 * 3600', '10 * (time() - x{kind="aborted"}) < 6 * 3600'),
    ],
)
def test_a_hurried_rule_looks_back_less_and_ages_pass_faster(written: str, hurried: str) -> None:
    rules = {"groups": [{"name": "a", "interval": "5m", "rules": [{"alert": "A", "expr": written, "for": "15m"}]}]}

    (group,) = hurry.hurried_rules(rules, 10)["groups"]

    assert group == {
        "name": "a",
        "interval": "30000ms",
        "rules": [{"alert": "A", "expr": hurried, "for": "90000ms"}],
    }


@pytest.mark.parametrize("times", [1, 10])
def test_hurried_rules_are_such_as_prometheus_takes(tmp_path: Path, times: int) -> None:
    files = [tmp_path / file.name for file in RULES]
    for file, source in zip(files, RULES, strict=True):
        file.write_text(yaml.safe_dump(hurry.hurried_rules(yaml.safe_load(source.read_text("utf-8")), times)))

    done = subprocess.run([tool("promtool"), "check", "rules", *files], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_without_hurry_the_rules_say_what_they_say() -> None:
    for source in RULES:
        rules = yaml.safe_load(source.read_text("utf-8"))
        for group, same in zip(rules["groups"], hurry.hurried_rules(rules, 1)["groups"], strict=True):
            assert [rule.get("alert") for rule in group["rules"]] == [rule.get("alert") for rule in same["rules"]]
            for rule, other in zip(group["rules"], same["rules"], strict=True):
                assert hurry.seconds(other.get("for", "0s")) == hurry.seconds(rule.get("for", "0s"))


def test_a_scrape_outlasts_a_source_that_hangs_however_great_the_hurry() -> None:
    told = hurry.hurried_scraping({"global": {"scrape_interval": "15s", "evaluation_interval": "15s"}}, 100)

    assert told["global"] == {"scrape_interval": "7000ms", "evaluation_interval": "1000ms"}


def test_the_waits_of_an_alertmanager_are_shorter_and_nothing_else_is() -> None:
    config = {"route": {"group_wait": "1m", "receiver": "a", "routes": [{"repeat_interval": "4h"}]}, "times": ["09:00"]}

    assert hurry.hurried_waits(config, 10) == {
        "route": {"group_wait": "6000ms", "receiver": "a", "routes": [{"repeat_interval": "1440000ms"}]},
        "times": ["09:00"],
    }


@pytest.mark.parametrize("wrong", ["", "15", "1.5h", "5 m", "soon"])
def test_what_is_no_duration_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        hurry.seconds(wrong)


def test_the_commands_of_an_item_are_those_that_the_page_says() -> None:
    assert runbook.commands(runbook.item(PAGE, 2)) == [["up"]]
    assert runbook.commands(runbook.item(PAGE, "users")) == [["rollback", "--reason", "too slow"]]
    assert runbook.commands(runbook.section(PAGE, runbook.WORKED)) == [["verify"]]


def test_words_in_capitals_are_filled_in_and_alternatives_left_out() -> None:
    found = runbook.commands(runbook.item(PAGE, 1), {"FILE": "a.csv"}, not_those_with=["--replace"])

    assert found == [["status"], ["submit", "a.csv"]]


def test_a_word_that_nothing_stands_for_is_an_error() -> None:
    with pytest.raises(LookupError, match="asks for FILE"):
        runbook.commands(runbook.item(PAGE, 1))


@pytest.mark.parametrize("which", [3, "the edge"])
def test_an_item_that_is_not_there_is_an_error(which: int | str) -> None:
    with pytest.raises(LookupError, match="has no item"):
        runbook.item(PAGE, which)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_has_an_alert_and_a_part_of_its_runbook_with_commands(fault: Fault) -> None:
    page = (ROOT / "docs" / "runbooks" / f"{fault.runbook}.md").read_text("utf-8")
    fills = dict.fromkeys(fault.fills, "x")
    typed = [
        words
        for which in fault.items
        for words in runbook.commands(runbook.item(page, which), fills, fault.not_those_with)
    ]

    assert {fault.alert, *fault.alongside} <= set(NAMES)
    assert page.startswith(f"# {fault.alert}:")
    for words in typed:
        parser().parse_args(words)


def test_there_are_ten_faults_or_more_and_each_has_its_own_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 10


def alert(name: str, state: str = "firing", source: str = "mlflow") -> dict[str, object]:
    return {"labels": {"alertname": name, "severity": "page", "source": source}, "state": state}


def test_an_alert_is_seen_with_the_moments_at_which_it_came_and_went() -> None:
    watch = Watch("", [])
    watch.look([alert("A", "pending")], 1.0)
    watch.look([alert("A")], 2.0)
    watch.look([alert("A"), alert("A", source="edge")], 3.0)
    watch.look([], 4.0)

    assert watch.seen == [
        Seen("A", "page", "mlflow", "pending", 1.0, 2.0),
        Seen("A", "page", "mlflow", "firing", 2.0, 4.0),
        Seen("A", "page", "edge", "firing", 3.0, 4.0),
    ]


def test_users_notice_what_was_under_way() -> None:
    asked = [
        Asked(0.0, 1.0, "failed"),
        Asked(5.0, 10.0, "answered"),
        Asked(9.0, 0.5, "cut"),
        Asked(30.0, 1.0, "failed"),
    ]

    assert noticed(asked, since=6.0, until=20.0) == Noticed(2, 0, 1, 10.0)


def a_fault(**changes: object) -> Fault:
    return Fault(**{"name": "f", "alert": "A", "runbook": "a", "items": (1,), "inject": lambda _: None, **changes})


def played(at: float = 10.0, fired_at: float | None = 12.0, exit_code: int = 0, **changes: object) -> day.Played:
    typed = [Typed(("up",), exit_code, 1.0, "")]
    return day.Played(a_fault(**changes), at, fired_at, typed, at + 5, Noticed(9, 1, 0, 0.5))


FIRED = Seen("A", "page", "", "firing", 12.0, 40.0)


@pytest.mark.parametrize(
    ("one", "seen", "problems"),
    [
        (played(), [FIRED], []),
        (played(fired_at=None), [], ["A did not fire"]),
        (played(exit_code=65), [FIRED], ["the runbook's ratchet up failed"]),
        (played(), [Seen("A", "page", "", "firing", 12.0)], ["the alert stayed"]),
        (played(ends_by_itself=True), [Seen("A", "page", "", "firing", 12.0)], []),
        (played(), [FIRED, Seen("B", "page", "", "firing", 13.0, 14.0)], ["B fired too"]),
        (played(alongside=("B",)), [FIRED, Seen("B", "page", "", "firing", 13.0, 14.0)], []),
        (played(), [FIRED, Seen("B", "page", "", "pending", 13.0, 14.0)], []),
        (played(), [FIRED, Seen("B", "page", "", "firing", 2.0, 14.0)], []),  # it was there before
    ],
)
def test_a_fault_is_held_against_its_alert_its_runbook_and_all_that_fired(
    one: day.Played, seen: list[Seen], problems: list[str]
) -> None:
    (outcome,) = day.outcomes([one], seen)

    assert outcome.problems == problems


def test_what_begins_after_the_next_fault_is_the_next_ones() -> None:
    first, second = day.outcomes([played(), played(at=50.0)], [FIRED, Seen("B", "page", "", "firing", 60.0, 61.0)])

    assert (first.problems, first.others, second.others) == ([], [], ["B"])


def test_the_table_says_what_happened_after_how_long() -> None:
    (outcome,) = day.outcomes([played()], [FIRED])

    assert tables.day_table([outcome]).splitlines()[-1] == (
        "| f | [A](runbooks/a.md) | 2 | `ratchet up` | 5 | 30 | 9 | 1 | 0 | 0.50 | yes |"
    )


def test_a_command_is_told_as_it_would_be_typed() -> None:
    assert Typed(("rollback", "--reason", "too slow"), 0, 1.0, "").text == 'ratchet rollback --reason "too slow"'


def test_the_days_recipe_is_a_recipe_that_the_package_finds() -> None:
    code = "import pathlib, ratchet.recipes.catalogue as c; print(c.load_recipe('gameday', pathlib.Path()).line)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )

    assert done.stdout == "gameday\n", done.stderr
