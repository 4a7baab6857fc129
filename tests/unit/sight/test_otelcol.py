"""The collector's configuration: errors and slow ones stay, and nothing leaves it but what Ratchet itself says.

No collector reads it here: none with these processors can be had from PyPI, npm or Debian.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ratchet.clients.routes import USER_PATHS, matching
from ratchet.clients.settings import TraceSettings
from ratchet.serving.edge.spans import HIDDEN, HIDDEN_OF_GRPC, request_spans

ROOT = Path(__file__).parents[3]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "helm/serving/collector/collector.yaml").read_text("utf-8"))
PROCESSORS = CONFIG["processors"]
POLICIES = {policy["name"]: policy for policy in PROCESSORS["tail_sampling"]["policies"]}
# Where spans of steps get attributes whose names are not made of an argument's.
NAMED_IN = ("__main__", "clients/traces", "core/telemetry", "orchestration/operator", "orchestration/tracing")
# What the SDK, or Envoy, says of itself: asked of the real ones in the tests of each.
OF_SDKS = {"telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version"}


def of_steps() -> Iterator[str]:
    for path in (ROOT / "tasks" / "ratchet").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id == "span":
                yield from (f"ratchet.{argument.arg}" for argument in call.keywords)
    for name in NAMED_IN:
        tree = ast.parse((ROOT / "tasks" / "ratchet" / f"{name}.py").read_text("utf-8"))
        words = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is str)
        yield from (word for word in words if re.fullmatch(r"(cicd|error|ratchet|service)\.[a-z_.]+", word))


def of_requests() -> Iterator[str]:
    edge = request_spans(TraceSettings(otlp_endpoint="http://collector:4318"), "support")["tracing"]["custom_tags"]
    routes = [tag for path in USER_PATHS for tag in matching(path).get("tracing", {}).get("custom_tags", ())]
    yield from (tag["tag"] for tag in [*edge, *routes])


def test_what_leaves_the_collector_is_what_ratchet_says_and_no_more() -> None:
    hidden = {*HIDDEN, *HIDDEN_OF_GRPC}
    modules = {"ratchet.__main__"}

    said = {*of_steps(), *of_requests(), *OF_SDKS} - hidden - modules
    assert set(PROCESSORS["redaction"]["allowed_keys"]) == said
    assert not PROCESSORS["redaction"].get("allow_all_keys")
    assert PROCESSORS["redaction"]["summary"] == "silent"


def test_every_part_that_is_named_is_there_and_every_part_is_used() -> None:
    pipeline = CONFIG["service"]["pipelines"]["traces"]

    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == set(CONFIG[kind])


def test_memory_is_looked_at_first_and_traces_are_chosen_after_they_were_redacted() -> None:
    order = CONFIG["service"]["pipelines"]["traces"]["processors"]

    assert order == ["memory_limiter", "redaction", "transform", "tail_sampling", "batch"]


@pytest.mark.parametrize("name", ["errors", "slow", "slow first token", "runs", "share of the rest"])
def test_a_policys_settings_are_those_of_its_type(name: str) -> None:
    policy = POLICIES[name]

    assert set(policy) == {"name", "type", policy["type"]}


def test_errors_slow_ones_and_runs_are_always_kept_and_a_share_of_the_rest() -> None:
    assert POLICIES["errors"]["status_code"] == {"status_codes": ["ERROR"]}
    assert POLICIES["slow"]["latency"] == {"threshold_ms": 10_000}
    assert POLICIES["runs"]["string_attribute"] == {"key": "service.name", "values": ["ratchet"]}
    assert 0 < POLICIES["share of the rest"]["probabilistic"]["sampling_percentage"] < 100


def test_a_first_token_is_slow_where_the_alert_says_so() -> None:
    alerts = (ROOT / "helm/serving/alerts/users.yaml").read_text("utf-8")

    slow = POLICIES["slow first token"]["numeric_attribute"]
    assert slow["min_value"] == 1000 * float(
        re.findall(r'llm_time_to_first_token_seconds_bucket\{.*?le="([\d.]+)"', alerts)[0]
    )
    assert f'set(attributes["{slow["key"]}"], Int(' in str(PROCESSORS["transform"])


def test_it_listens_on_loopback_and_says_no_secret() -> None:
    assert CONFIG["receivers"]["otlp"]["protocols"] == {"http": {"endpoint": "127.0.0.1:4318"}}
    assert CONFIG["exporters"] == {"otlphttp": {"endpoint": "${env:TRACES_BACKEND}"}}
