"""Debian's Alertmanager, configured as the chart does it, tells a pager and a chat what it should and no more.

Pager and chat are stand-ins: a web server on loopback that keeps what PagerDuty and Slack would be sent. Alerts are
told with the moment at which they began, so that hardly anything waits: the configuration's own times are tested.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.fakes.web import web_server
from tests.prometheus import tool
from tests.unit.sight.test_alerts import ALERTS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "helm" / "serving" / "alertmanager"
CONFIG = FOLDER / "alertmanager.yml"
WHOM = ("pager", "escalation", "tickets")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
AGES = {"page": timedelta(minutes=1), "ticket": timedelta(minutes=5)}


@dataclass(frozen=True)
class Alertmanager:
    url: str
    config: Path
    received: list[dict[str, Any]]

    def raise_(self, *alerts: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/api/v2/alerts", json=alerts, timeout=30.0, trust_env=False).raise_for_status()

    def told(self) -> list[tuple[str, str]]:
        """To whom, and the message's title."""
        return [(_whom(message), _title(message)) for message in self.received]

    def await_(self, *messages: tuple[str, str]) -> None:
        deadline = time.monotonic() + 60.0
        while not set(messages) <= set(self.told()):
            assert time.monotonic() < deadline, f"not told in 60 s: {set(messages) - set(self.told())}"
            time.sleep(0.05)

    def at(self, day: datetime) -> None:
        """Working hours are the whole of that day in UTC, and of the next: midnight may pass."""
        config = yaml.safe_load(self.config.read_text("utf-8"))
        days = [DAYS[(day.weekday() + more) % 7] for more in range(2)]
        config["time_intervals"][0]["time_intervals"] = [{"weekdays": days}]
        self.config.write_text(yaml.safe_dump(config))
        httpx.post(f"{self.url}/-/reload", timeout=30.0, trust_env=False).raise_for_status()


def _whom(message: dict[str, Any]) -> str:
    return str(message.get("routing_key", "tickets"))


def _title(message: dict[str, Any]) -> str:
    return str(message["payload"]["summary"] if "payload" in message else message["attachments"][0]["title"])


def _text(message: dict[str, Any]) -> str:
    return str(
        message["payload"]["custom_details"]["what"] if "payload" in message else message["attachments"][0]["text"]
    )


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Alertmanager]:
    """On a working day."""
    with web_server([200]) as (address, received), _running(tmp_path, address) as (url, config):
        found = Alertmanager(url, config, received)
        found.at(datetime.now(UTC))
        yield found


@contextmanager
def _running(folder: Path, sink: str) -> Iterator[tuple[str, Path]]:
    for whom in WHOM:
        (folder / f"alertmanager-{whom}").write_text(f"http://{sink}/\n" if whom == "tickets" else f"{whom}\n")
    config = folder / "alertmanager.yml"
    text = CONFIG.read_text("utf-8").replace(".ratchet/secrets", str(folder))
    config.write_text(f"global: {{pagerduty_url: 'http://{sink}/'}}\n{text}")
    (folder / "ratchet.tmpl").write_bytes((FOLDER / "ratchet.tmpl").read_bytes())
    program = tool("prometheus-alertmanager")
    command = [
        *(program, "--config.file", config, "--storage.path", folder / "data"),
        *("--web.listen-address", "127.0.0.1:0", "--cluster.listen-address", ""),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, cwd=program.parents[2])
        try:
            yield f"http://{_address(process, folder / 'log')}", config
        finally:
            process.terminate()
            process.wait(30)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 60.0
    while not (found := re.search(r"Listening on\" address=(\S+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return found.group(1)


def alert(name: str, severity: str = "page", line: str = "support", age: timedelta | None = None) -> dict[str, Any]:
    """As Prometheus tells it, with the alert's own words."""
    (rule, *_) = [one for one in ALERTS if (one["alert"], one["labels"]["severity"]) == (name, severity)]
    began = datetime.now(UTC) - (AGES[severity] if age is None else age)
    return {
        "labels": {"alertname": name, "severity": severity, "line": line},
        "annotations": rule["annotations"],
        "startsAt": began.isoformat(),
    }


def other(name: str) -> dict[str, Any]:
    """Of somebody else, neither page nor ticket: it is told at any hour, so what came before it has been decided."""
    began = datetime.now(UTC) - timedelta(minutes=5)
    return {"labels": {"alertname": name}, "annotations": {"summary": "theirs"}, "startsAt": began.isoformat()}


def test_the_configuration_is_such_as_alertmanager_takes() -> None:
    done = subprocess.run([tool("amtool"), "check-config", CONFIG], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_page_and_ticket_of_one_incident_are_one_message(manager: Alertmanager) -> None:
    page = ("pager", "RatchetRequestsFail of support")
    manager.raise_(alert("RatchetRequestsFail"))
    manager.await_(page)
    manager.raise_(alert("RatchetRequestsFail", "ticket"))
    manager.raise_(alert("RatchetRequestsFail", "ticket", line="other"))
    manager.await_(apart := ("tickets", "RatchetRequestsFail of other"))

    assert manager.told() == [page, apart]


def test_what_is_wrong_in_two_places_of_one_line_is_one_message(manager: Alertmanager) -> None:
    parts = [alert("RatchetLiveDiffers", age=timedelta(0)) for _ in range(2)]
    for part, name in zip(parts, ("router", "ledger"), strict=True):
        part["labels"] = {**part["labels"], "part": name}
        part["annotations"] = {**part["annotations"], "summary": f"{name} differs"}
    manager.raise_(*parts)
    manager.await_(("pager", "RatchetLiveDiffers of support"))

    (message,) = manager.received
    assert {"router differs", "ledger differs"} < set(_text(message).splitlines())


@pytest.mark.parametrize(("severity", "name"), [("page", "RatchetLiveDiffers"), ("ticket", "RatchetRunFails")])
def test_a_message_says_what_is_wrong_what_to_type_and_where_to_read(
    manager: Alertmanager, severity: str, name: str
) -> None:
    raised = alert(name, severity)
    manager.raise_(raised)
    manager.await_(("pager" if severity == "page" else "tickets", f"{name} of support"))

    text = _text(manager.received[0])
    assert raised["annotations"]["summary"] in text
    assert "`ratchet " in text
    assert text.endswith(f"Is doing nothing safe, and what to type: {raised['annotations']['runbook_url']}")


def test_a_ticket_at_night_waits_until_the_morning_and_a_page_does_not(manager: Alertmanager) -> None:
    ticket, page = ("tickets", "RatchetRunFails of support"), ("pager", "RatchetLiveDiffers of support")
    manager.at(datetime.now(UTC) + timedelta(days=3))
    manager.raise_(alert("RatchetRunFails", "ticket"))
    manager.raise_(alert("RatchetLiveDiffers"), other("DiskFull"))
    manager.await_(page, theirs := ("tickets", "DiskFull"))
    assert sorted(manager.told()) == sorted([page, theirs])

    manager.at(datetime.now(UTC))
    manager.await_(ticket)


def test_an_exporter_that_is_down_silences_what_is_raised_over_its_line_alone(manager: Alertmanager) -> None:
    down = ("pager", "RatchetExporterDown of support")
    manager.raise_(alert("RatchetExporterDown"))
    manager.await_(down)
    manager.raise_(alert("RatchetRequestsFail"), alert("RatchetDrillStale", "ticket"))
    manager.raise_(alert("RatchetRequestsFail", line="other"), other("DiskFull"))
    manager.await_(elsewhere := ("pager", "RatchetRequestsFail of other"), theirs := ("tickets", "DiskFull"))

    assert sorted(manager.told()) == sorted([down, elsewhere, theirs])


def test_a_page_that_nobody_mends_in_half_an_hour_wakes_a_second_one(manager: Alertmanager) -> None:
    manager.raise_(alert("RatchetLiveDiffers", age=timedelta(minutes=25)))
    manager.await_(("pager", "RatchetLiveDiffers of support"))
    manager.raise_(alert("RatchetMonitorRed", age=timedelta(minutes=31)))
    manager.await_(second := ("escalation", "Not mended yet: RatchetMonitorRed of support"))

    assert [message for message in manager.told() if message[0] == "escalation"] == [second]


def _secrets(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        for name, value in config.items():
            if re.search(r"(key|password|token|url|secret)(_file)?$", name):
                yield name
            yield from _secrets(value)
    elif isinstance(config, list):
        for value in config:
            yield from _secrets(value)


def test_every_secret_is_a_file() -> None:
    found = set(_secrets(yaml.safe_load(CONFIG.read_text("utf-8"))["receivers"]))

    assert found == {"routing_key_file", "api_url_file"}
