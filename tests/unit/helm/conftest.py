"""Helm, as a user runs it, and what it renders."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
HELM = ROOT / ".venv" / "bin" / "helm"
TODAY = "1.34"
EDGE = ("--set", "edge.enabled=true,service.type=NodePort,service.nodePort=30080")
FEEDBACK = ("--set", "edge.enabled=true,feedback.enabled=true")
EXPORTER = ("--set", "exporter.enabled=true,exporter.serviceMonitor.enabled=true,alerts.enabled=true")


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(HELM), *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "ratchet.toml"
    path.write_text('runtime = "kubernetes"\n')
    return path


@pytest.fixture
def render(config: Path) -> Callable[..., list[dict[str, Any]]]:
    def rendered(chart: str, *options: str, version: str = TODAY) -> list[dict[str, Any]]:
        name = {"platform": "ratchet", "serving": "support"}[chart]
        given = needed(chart, config)
        done = helm("template", name, str(ROOT / "helm" / chart), "--kube-version", version, *given, *options)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return rendered


def needed(chart: str, config: Path) -> tuple[str, ...]:
    return ("--set-file", f"config={config}") if chart == "platform" else ()


def of(documents: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    return next(d for d in documents if d["kind"] == kind and name in ("", d["metadata"]["name"]))


def pod_specs(documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (d["spec"]["template"]["spec"] for d in documents if d["kind"] == "Deployment")
