"""Debian's Prometheus reads the exporter's page and judges the alerts, with the configuration that docs/ shows."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.metrics_core import Metric
from tests.fakes.pipeline import healthy, troubled
from tests.prometheus import prometheus as started
from tests.unit.sight.test_alerts import ALERTS, RULES

from ratchet.sight.collector import Source
from ratchet.sight.server import serving

ROOT = Path(__file__).parents[3]
DASHBOARDS = sorted((ROOT / "helm" / "serving" / "dashboards").glob("*.json"))
EXAMPLE = ROOT / "docs" / "prometheus.yml"
# Those that wait (`for`), and those that need an hour of traffic, are only pending, or not yet.
AT_ONCE = {
    *("RatchetMonitorRed", "RatchetDrillStale", "RatchetProductionStale", "RatchetRunFails", "RatchetGateRefuses"),
    *("RatchetApprovalWaits", "RatchetCanaryAborted", "RatchetCostOverBudget", "RatchetDataDrifts"),
    *("RatchetQuarantineJumps", "RatchetUsersDrift", "RatchetHarmfulTexts", "RatchetInjections"),
    *("RatchetAnswersWrong", "RatchetKpiMissed"),
}
WAITING = {"RatchetLiveDiffers"}


@dataclass(frozen=True)
class Prometheus:
    url: str

    def ask(self, path: str, **asked: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=asked, timeout=30.0, trust_env=False)
        return answer.raise_for_status().json()["data"]

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def states(self) -> dict[str, set[str]]:
        """Of each alert that is not quiet, which states it is in."""
        found: dict[str, set[str]] = {}
        for alert in self.ask("alerts")["alerts"]:
            found.setdefault(alert["labels"]["alertname"], set()).add(alert["state"])
        return found

    def await_(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 90.0
        while not happened():
            assert time.monotonic() < deadline, "Prometheus did not get there in 90 s"
            time.sleep(0.2)


@contextmanager
def prometheus(folder: Path, exporter_port: int) -> Iterator[Prometheus]:
    """It looks every two seconds, as long as a busy machine may take to answer, and judges twice a second; otherwise it
    is as docs/prometheus.yml says.
    """
    config = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{exporter_port}"]}]
    del config["alerting"]  # nobody is told of a test
    config["global"] = {"scrape_interval": "2s", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(_judged_at_once(file, folder)) for file in RULES]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with started(folder) as url:
        yield Prometheus(url)


def _judged_at_once(file: Path, folder: Path) -> Path:
    """The rules without intervals of their own, which put the first look off by as long."""
    rules = yaml.safe_load(file.read_text("utf-8"))
    for group in rules["groups"]:
        group.pop("interval", None)
    copy = folder / file.name
    copy.write_text(yaml.safe_dump(rules))
    return copy


@contextmanager
def watched(folder: Path, tells: Callable[[], Sequence[Metric]]) -> Iterator[Prometheus]:
    told = Source("all", tells, max_age_seconds=0.0)
    with serving([told], "127.0.0.1", 0) as port, prometheus(folder, port) as found:
        found.await_(lambda: bool(found.ask("query", query='up{job="ratchet"} == 1')["result"]))
        yield found


def _all_judged(found: Prometheus, since: datetime) -> bool:
    """Has every rule been looked at since? What was judged before the first scrape knew of no exporter."""
    return all(datetime.fromisoformat(rule["lastEvaluation"]) > since for rule in found.rules())


def test_no_alert_is_raised_over_a_healthy_platform_and_every_rule_can_be_judged(tmp_path: Path) -> None:
    with watched(tmp_path, lambda: healthy(datetime.now(UTC)).families()) as found:
        seen = datetime.now(UTC)
        found.await_(lambda: _all_judged(found, since=seen))
        rules = found.rules()

        assert len([rule for rule in rules if rule["type"] == "alerting"]) == len(ALERTS)
        assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
        assert found.states() == {}


def test_every_panel_of_every_dashboard_has_something_to_show(tmp_path: Path) -> None:
    queries = {
        (file.stem, panel["title"], target["expr"].replace("$line", "support"))
        for file in DASHBOARDS
        for panel in json.loads(file.read_text("utf-8"))["panels"]
        for target in panel["targets"]
    }
    with watched(tmp_path, lambda: healthy(datetime.now(UTC)).families()) as found:
        found.await_(lambda: bool(found.ask("query", query="rate(llm_requests_total[5m])")["result"]))
        empty = sorted(query for query in queries if not found.ask("query", query=query[-1])["result"])

    assert len(queries) > 30
    assert empty == []


def test_each_alert_is_raised_by_what_the_exporter_tells_of_its_trouble(tmp_path: Path) -> None:
    with watched(tmp_path, lambda: troubled(datetime.now(UTC)).families()) as found:
        found.await_(lambda: set(found.states()) >= AT_ONCE | WAITING)
        seen = datetime.now(UTC)
        found.await_(lambda: _all_judged(found, since=seen))

        assert found.states() == {**{name: {"firing"} for name in AT_ONCE}, **{name: {"pending"} for name in WAITING}}


def test_when_the_exporter_dies_prometheus_says_so(tmp_path: Path) -> None:
    with serving([], "127.0.0.1", 0) as port:
        pass  # nobody listens there any more
    with prometheus(tmp_path, port) as found:
        found.await_(lambda: found.states() == {"RatchetExporterDown": {"pending"}})


def test_what_an_alert_asks_for_is_what_the_exporter_tells() -> None:
    told = {sample.name for family in healthy(datetime.now(UTC)).families() for sample in family.samples}
    asked = {name for file in RULES for name in re.findall(r"(?<![:\w])(?:ratchet|llm)_\w+", _expressions(file))}

    assert asked - told == {"ratchet_up"}  # the collector's own


def _expressions(file: Path) -> str:
    groups = yaml.safe_load(file.read_text("utf-8"))["groups"]
    return "\n".join(rule["expr"] for group in groups for rule in group["rules"])
