"""The exporter of a running platform, after a release: every source answers, and tells what happened."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tests.e2e.conftest import ROOT, Platform
from tests.fakes.metrics import Series, scraped, value
from tests.prometheus import prometheus

from ratchet.clients.prometheus import Prometheus
from ratchet.sight.arguments import NAMES

pytestmark = pytest.mark.timeout(2700)
SCRAPED_SECONDS = 60.0  # it looks every quarter of a minute


@pytest.fixture(scope="module")
def told(platform: Platform, demo: "subprocess.CompletedProcess[str]") -> Series:
    return scraped(f"http://127.0.0.1:{platform.settings.ports.exporter}/metrics")


def test_every_source_of_a_running_platform_answers(told: Series) -> None:
    assert {name: value(told, "ratchet_up", source=name) for name in NAMES} == dict.fromkeys(NAMES, 1.0)


def test_what_serves_is_seen_to_be_what_the_ledger_says(told: Series) -> None:
    parts = {dict(labels)["part"]: number for (name, labels), number in told.items() if name == "ratchet_in_order"}

    assert parts == dict.fromkeys(("ledger", "approval", "router", "engine", "edge", *parts), 1.0)


def test_the_release_is_told_with_its_verdict_and_its_work(told: Series) -> None:
    states = [value(told, "ratchet_dag_last_run_state", dag="release_support", state=s) for s in ("success", "running")]
    assert sorted(states, key=lambda number: number or 0) == [0, 1]  # the newest one may still be ending
    assert value(told, "ratchet_gate_verdict", verdict="PASS") == 1
    assert (value(told, "ratchet_step_duration_seconds_count", step="finetune") or 0) > 0
    assert value(told, "ratchet_ledger_events_total", kind="promoted") == 1


def test_users_requests_and_their_tokens_are_counted(platform: Platform, told: Series) -> None:
    state = platform.world.router.read()
    assert state is not None
    live = {"colour": state.active, "release": state.active_release}

    assert (value(told, "llm_requests_total", code="2xx", **live) or 0) > 0
    assert (value(told, "llm_tokens_generated_total", **live) or 0) > 0
    assert (value(told, "llm_request_duration_seconds_count", **live) or 0) > 0


def test_every_panel_of_the_pipelines_dashboard_finds_data_in_a_running_platform(
    platform: Platform, demo: "subprocess.CompletedProcess[str]", tmp_path: Path
) -> None:
    with _scraping(platform, tmp_path) as url:
        drawn = platform.ratchet("dashboards", "--prometheus", url, "--out", str(tmp_path / "pages"))

    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    assert {page.stem for page in (tmp_path / "pages").iterdir()} == {"cost", "data", "pipeline", "quality", "serving"}
    assert "(pipeline)" not in next((line for line in drawn.stdout.splitlines() if line.startswith("no data")), "")


@contextmanager
def _scraping(platform: Platform, folder: Path) -> Iterator[str]:
    """A Prometheus as docs/prometheus.yml has it, that has read the exporter."""
    config = yaml.safe_load((ROOT / "docs" / "prometheus.yml").read_text("utf-8"))
    config["rule_files"] = []
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{platform.settings.ports.exporter}"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    with prometheus(folder) as url:
        asked, deadline = Prometheus(url), time.monotonic() + SCRAPED_SECONDS
        while not asked.at("ratchet_gate_verdict", time.time()):
            assert time.monotonic() < deadline, f"nothing was read of the exporter in {SCRAPED_SECONDS:.0f} s"
            time.sleep(1)
        yield url
