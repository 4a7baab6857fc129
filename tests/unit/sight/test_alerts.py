"""Every alert is seen firing and not firing, and leads to a page that helps at three in the morning."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.prometheus import tool

from ratchet.cli.parser import parser

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "helm" / "serving" / "alerts").glob("*.yaml"))
TESTS = sorted((ROOT / "tests" / "alerts").glob("*.test.yaml"))
SECTIONS = (
    "Meaning",
    "Is doing nothing safe?",
    "Look here",
    "Do this",
    "How to know that it worked",
    "Whom to wake",
)


def _rules() -> list[dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = [rule for rule in _rules() if "alert" in rule]
NAMES = sorted({alert["alert"] for alert in ALERTS})
PAGES = sorted({alert["annotations"]["runbook_url"] for alert in ALERTS})


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_each_alert_fires_when_it_should_and_at_no_other_time(file: Path) -> None:
    done = subprocess.run(
        [tool("promtool"), "test", "rules", file.name], cwd=file.parent, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(name: str) -> None:
    cases = [case for file in TESTS for case in yaml.safe_load(file.read_text("utf-8"))["tests"]]
    expected = [
        bool(moment["exp_alerts"])
        for case in cases
        for moment in case.get("alert_rule_test", ())
        if moment["alertname"] == name
    ]

    assert set(expected) == {True, False}


def test_the_rules_are_such_as_prometheus_takes() -> None:
    done = subprocess.run(
        [tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *RULES],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}")
def test_each_alert_says_how_urgent_it_is_what_is_wrong_and_where_to_read(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert set(alert["annotations"]) == {"summary", "runbook_url"}
    assert len(alert["annotations"]["summary"]) < 160  # one line of a pager


@pytest.mark.parametrize("page", PAGES)
def test_a_runbook_has_every_section_in_order_and_names_its_alert(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    mine = {alert["alert"] for alert in ALERTS if alert["annotations"]["runbook_url"] == page}

    assert tuple(sections[: len(SECTIONS)]) == SECTIONS
    assert {text.splitlines()[0].removeprefix("# ").partition(":")[0]} == mine


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_runbook_are_those_of_the_command_line(page: str) -> None:
    text = " ".join((ROOT / page).read_text("utf-8").split())
    commands = re.findall(r"`ratchet ([^`]+)`", text)

    assert commands
    for command in commands:
        parser().parse_args(shlex.split(command))  # ends the test with the parser's own words


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}")
def test_a_message_names_a_command_and_it_is_one_too(alert: dict[str, Any]) -> None:
    commands = re.findall(r"`ratchet ([a-z-]+)", alert["annotations"]["summary"])

    assert commands
    for command in commands:
        assert re.search(rf"\b{command}\b", parser().format_help())


@pytest.mark.parametrize("page", PAGES)
def test_what_a_runbook_refers_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (ROOT / page).parent.joinpath(target).is_file(), target
    for name in re.findall(r"\bRatchet[A-Z]\w+", text):
        assert name in NAMES
