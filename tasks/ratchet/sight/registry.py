"""The registry's aliases, for whoever looks a model up there. They decide nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from ratchet.clients import mlflow_rest
from ratchet.clients.settings import Settings
from ratchet.sight.families import gauges

ALIASES = ("production", "previous")


@dataclass(frozen=True)
class RegistryFacts:
    """`aliases`: alias to model digest."""

    line: str
    aliases: Mapping[str, str]


def gather(settings: Settings, line: str) -> RegistryFacts:
    return RegistryFacts(line, mlflow_rest.aliases(settings.mlflow_url, line))


def families(facts: RegistryFacts) -> list[Metric]:
    return [
        gauges(
            facts.line,
            "ratchet_registry_alias_info",
            "Which model an alias of the registry names. Always 1.",
            ("alias", "model"),
            {(alias, sha256[:12]): 1.0 for alias, sha256 in facts.aliases.items() if alias in ALIASES},
        )
    ]
