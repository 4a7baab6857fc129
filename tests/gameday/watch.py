"""Debian's Prometheus and Alertmanager beside the platform, and each alert with when it came and when it went."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.fakes.web import web_server
from tests.gameday.hurry import hurried_rules, hurried_scraping, hurried_waits
from tests.gameday.place import LINE
from tests.prometheus import prometheus as started
from tests.unit.sight import test_alertmanager as manager
from tests.unit.sight import test_prometheus as prometheus
from tests.unit.sight.test_alerts import RULES

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Seen:
    """One alert in one state, from when to when; None while it lasts. Seconds on the clock of time.monotonic."""

    name: str
    severity: str
    about: str
    state: str
    begun_at: float
    ended_at: float | None = None

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None


@dataclass
class Watch:
    """`seen`: in the order of their beginnings. `told`: to whom Alertmanager sent which message, and when."""

    url: str
    messages: Sequence[dict[str, Any]]
    seen: list[Seen] = field(default_factory=list)
    _now: dict[tuple[str, str, str, str], int] = field(default_factory=dict)

    def look(self, alerts: Sequence[Mapping[str, Any]], at: float) -> None:
        """Note which alerts came since the last look, and which went."""
        keys = {_key(alert) for alert in alerts}
        for key in set(self._now) - keys:
            number = self._now.pop(key)
            self.seen[number] = Seen(*key, self.seen[number].begun_at, at)
        for key in sorted(keys - set(self._now)):
            self._now[key] = len(self.seen)
            self.seen.append(Seen(*key, at))

    def firing(self, name: str) -> bool:
        return any(one.name == name and one.state == "firing" and not one.is_over for one in list(self.seen))

    def ask(self, path: str, **asked: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=asked, timeout=30.0, trust_env=False)
        return answer.raise_for_status().json()["data"]

    def num_series(self) -> int:
        """Of the pipeline's page, as it was last read."""
        (found,) = self.ask("query", query='count({job="ratchet"})')["result"] or [{"value": [0, "0"]}]
        return int(found["value"][1])

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            with suppress(httpx.HTTPError):  # a busy Prometheus is asked again
                self.look(self.ask("alerts")["alerts"], time.monotonic())


def _key(alert: Mapping[str, Any]) -> tuple[str, str, str, str]:
    labels = alert["labels"]
    about = next((labels[name] for name in ("source", "part", "feature", "dag", "task") if name in labels), "")
    return labels["alertname"], labels["severity"], about, alert["state"]


@contextmanager
def watching(folder: Path, exporter_port: int, times: float) -> Iterator[Watch]:
    """With `times` above 1 the rules wait less; with 1 they are those of the repository."""
    with (
        web_server([200]) as (people, messages),
        _alertmanager(folder / "alertmanager", people, times) as told,
        _prometheus(folder / "prometheus", exporter_port, told, times) as url,
    ):
        watch, stop = Watch(url, messages), threading.Event()
        looking = threading.Thread(target=watch.run, args=(stop,))
        looking.start()
        try:
            yield watch
        finally:
            stop.set()
            looking.join()


@contextmanager
def _alertmanager(folder: Path, people: str, times: float) -> Iterator[str]:
    """As the repository configures it, on a working day."""
    folder.mkdir(parents=True)
    with manager._running(folder, people) as (url, config):
        config.write_text(yaml.safe_dump(hurried_waits(yaml.safe_load(config.read_text("utf-8")), times)), "utf-8")
        manager.Alertmanager(url, config, []).at(datetime.now(UTC))
        yield url


@contextmanager
def _prometheus(folder: Path, exporter_port: int, alertmanager: str, times: float) -> Iterator[str]:
    folder.mkdir(parents=True)
    config = hurried_scraping(yaml.safe_load(prometheus.EXAMPLE.read_text("utf-8")), times)
    config["scrape_configs"][0]["static_configs"] = [
        {"targets": [f"127.0.0.1:{exporter_port}"], "labels": {"line": LINE}}
    ]
    config["scrape_configs"][0]["scrape_timeout"] = config["global"]["scrape_interval"] if times > 1 else "10s"
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]}
    config["rule_files"] = [str(_rules(file, folder, times)) for file in RULES]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    with started(folder) as url:
        yield url


def _rules(file: Path, folder: Path, times: float) -> Path:
    copy = folder / file.name
    copy.write_text(yaml.safe_dump(hurried_rules(yaml.safe_load(file.read_text("utf-8")), times)), "utf-8")
    return copy
