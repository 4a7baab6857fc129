"""Rules that wait for minutes and look back over hours, for a day that has half an hour: every duration divided by N.

for: 15m, N = 10                              → for: 90s
rate(llm_requests_total[1h])                  → rate(llm_requests_total[360s])
time() - ratchet_approval_requested_… > x     → 10 * (time() - ratchet_approval_requested_…) > x

Pure: the rules of the repository stay as they are.
"""

import re
from collections.abc import Mapping
from typing import Any

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+)(ms|[smhdw])")
_DURATION = re.compile(r"(\d+(?:ms|[smhdw]))+")
_RANGE = re.compile(r"\[((?:\d+(?:ms|[smhdw]))+)\]")
_OFFSET = re.compile(r"\boffset ((?:\d+(?:ms|[smhdw]))+)")
_AGE = re.compile(r"time\(\) - (\w+(?:\{[^}]*\})?)")
# The exporter waits for a source that hangs for six seconds (sight/collector.py), and a scrape must outlast that.
LEAST_SCRAPE_SECONDS = 7.0


def seconds(duration: str) -> float:
    """Of a duration as Prometheus writes it: 1h30m is 5400. Raises ValueError."""
    if not _DURATION.fullmatch(duration):
        raise ValueError(f"expected a duration such as 15s or 1h30m, got {duration!r}")
    return sum(int(number) * UNITS[unit] for number, unit in _PART.findall(duration))


def shorter(duration: str, times: float, at_least_seconds: float = 0.0) -> str:
    return f"{max(round(seconds(duration) / times * 1000), round(at_least_seconds * 1000))}ms"


def hurried_rules(rules: Mapping[str, Any], times: float) -> dict[str, Any]:
    """A rule file, as data, whose `for`, ranges and intervals are shorter, and for which ages pass faster."""
    return {"groups": [_group(group, times) for group in rules["groups"]]}


def hurried_scraping(config: Mapping[str, Any], times: float) -> dict[str, Any]:
    """A Prometheus' configuration that looks more often, but not more often than the exporter may take."""
    told = {**config["global"]}
    told["scrape_interval"] = shorter(told["scrape_interval"], times, LEAST_SCRAPE_SECONDS if times > 1 else 0)
    told["evaluation_interval"] = shorter(told["evaluation_interval"], times, 1.0)
    return {**config, "global": told}


def hurried_waits(config: Any, times: float) -> Any:
    """An Alertmanager's configuration that groups and repeats sooner."""
    if isinstance(config, dict):
        return {
            name: shorter(value, times, 1.0)
            if name in ("group_wait", "group_interval", "repeat_interval")
            else hurried_waits(value, times)
            for name, value in config.items()
        }
    return [hurried_waits(value, times) for value in config] if isinstance(config, list) else config


def _group(group: Mapping[str, Any], times: float) -> dict[str, Any]:
    interval = {"interval": shorter(group["interval"], times, 1.0)} if "interval" in group else {}
    return {**group, **interval, "rules": [_rule(rule, times) for rule in group["rules"]]}


def _rule(rule: Mapping[str, Any], times: float) -> dict[str, Any]:
    waits = {"for": shorter(rule["for"], times)} if "for" in rule else {}
    return {**rule, **waits, "expr": _expression(rule["expr"], times)}


def _expression(expression: str, times: float) -> str:
    near = _RANGE.sub(lambda found: f"[{shorter(found[1], times)}]", expression)
    near = _OFFSET.sub(lambda found: f"offset {shorter(found[1], times)}", near)
    return _AGE.sub(rf"{times:g} * (time() - \1)", near) if times != 1 else near
