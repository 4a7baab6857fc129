"""What helm/serving has of sight: exporter, alerts, who is told, dashboards, a collector's configuration."""

import argparse
from collections.abc import Callable
from typing import Any

import yaml
from tests.unit.helm.conftest import EDGE, EXPORTER, ROOT, of

from ratchet.serving.edge import __main__ as edge_pod
from ratchet.sight import edge_pods
from ratchet.sight.arguments import BESIDE_AIRFLOW, NAMES
from ratchet.sight.arguments import add_arguments as add_exporter_arguments

WIKI = "https://wiki.example.org/ratchet/"


def test_the_exporter_is_started_as_its_program_takes_it_and_may_only_look(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    documents = render("serving", *EXPORTER, *EDGE)

    spec = of(documents, "Deployment", "support-exporter")["spec"]["template"]["spec"]
    module, *options = spec["containers"][0]["args"]
    parser = argparse.ArgumentParser()
    add_exporter_arguments(parser)
    assert module == "ratchet.sight"
    of_one_machine = {"drifts", "feedback", "gpus"}  # nothing is captured here
    assert set(parser.parse_args(options).only) == set(NAMES) - {*BESIDE_AIRFLOW} - of_one_machine
    rules = of(documents, "Role", "support-exporter")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list"}


def test_the_exporter_alone_reads_what_the_edge_counts(render: Callable[..., list[dict[str, Any]]]) -> None:
    documents = render("serving", *EXPORTER, *EDGE)

    edge = of(documents, "Deployment", "support-edge")["spec"]["template"]["spec"]["containers"][0]
    counts = edge_pod._parser().parse_args(edge["args"][1:]).counts
    assert counts == edge_pod.Place("0.0.0.0", edge_pods.PORT)
    let_in = of(documents, "NetworkPolicy", "support-edge")["spec"]["ingress"]
    (rule,) = [rule for rule in let_in if {"protocol": "TCP", "port": counts.port} in rule["ports"]]
    exporter = of(documents, "Deployment", "support-exporter")["spec"]["selector"]["matchLabels"]
    assert rule["from"] == [{"podSelector": {"matchLabels": exporter}}]
    goes_out = of(documents, "NetworkPolicy", "support-exporter")["spec"]["egress"]
    assert [rule for rule in goes_out if {"protocol": "TCP", "port": counts.port} in rule.get("ports", ())]


def test_without_an_edge_the_exporter_asks_none(render: Callable[..., list[dict[str, Any]]]) -> None:
    spec = of(render("serving", *EXPORTER), "Deployment", "support-exporter")["spec"]["template"]["spec"]

    assert "edge" not in spec["containers"][0]["args"]


def test_engines_let_the_exporter_in_where_there_is_one(render: Callable[..., list[dict[str, Any]]]) -> None:
    def asking(*options: str) -> set[str]:
        policy = of(render("serving", *options), "NetworkPolicy", "support-engines")
        peers = [peer for rule in policy["spec"]["ingress"] for peer in rule["from"] if "podSelector" in peer]
        return {peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in peers}

    assert asking(*EXPORTER) - asking() == {"exporter"}


def test_a_cluster_has_the_same_alerts_with_links_to_where_its_people_read(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    rules = [
        d for d in render("serving", *EXPORTER, "--set", f"alerts.runbooks={WIKI}") if d["kind"] == "PrometheusRule"
    ]

    files = sorted((ROOT / "helm" / "serving" / "alerts").glob("*.yaml"))
    written = [yaml.safe_load(file.read_text("utf-8").replace("url: docs/", f"url: {WIKI}docs/")) for file in files]
    assert [rule["spec"] for rule in rules] == written
    assert WIKI in str(written)


def test_a_cluster_tells_the_same_people_with_secrets_from_where_the_operator_mounts_them(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    told = of(render("serving", "--set", "alertmanager.enabled=true,alertmanager.secret=keys"), "Secret")

    folder = ROOT / "helm" / "serving" / "alertmanager"
    written = (folder / "alertmanager.yml").read_text("utf-8")
    mounted = written.replace(".ratchet/secrets/", "/etc/alertmanager/secrets/keys/")
    config = yaml.safe_load(mounted) | {"templates": ["/etc/alertmanager/config/ratchet.tmpl"]}
    assert yaml.safe_load(told["stringData"]["alertmanager.yaml"]) == config
    assert told["stringData"]["ratchet.tmpl"].strip() == (folder / "ratchet.tmpl").read_text("utf-8").strip()
    assert not [d for d in render("serving") if d["kind"] == "Secret"]


def test_a_cluster_has_the_dashboards_as_they_are_written(render: Callable[..., list[dict[str, Any]]]) -> None:
    shown = of(render("serving", "--set", "dashboards.enabled=true"), "ConfigMap", "support-dashboards")

    files = (ROOT / "helm" / "serving" / "dashboards").glob("*.json")
    assert shown["data"] == {file.name: file.read_text("utf-8") for file in files}
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_a_cluster_has_the_collectors_configuration_open_to_its_pods(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    held = of(render("serving", "--set", "collector.enabled=true"), "ConfigMap", "support-collector")

    written = (ROOT / "helm" / "serving" / "collector" / "collector.yaml").read_text("utf-8")
    told, meant = (yaml.safe_load(text) for text in (held["data"]["collector.yaml"], written))
    assert told["receivers"]["otlp"]["protocols"]["http"].pop("endpoint") == "0.0.0.0:4318"
    assert meant["receivers"]["otlp"]["protocols"]["http"].pop("endpoint") == "127.0.0.1:4318"
    assert told == meant


def test_only_a_collector_that_is_named_is_reached_and_by_those_that_tell_spans(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    named = "networkPolicies.collector[0].podSelector.matchLabels.app=otelcol"
    policy = of(render("platform", "--set", named), "NetworkPolicy", "ratchet-to-collector")

    (rule,) = policy["spec"]["egress"]
    assert rule == {
        "to": [{"podSelector": {"matchLabels": {"app": "otelcol"}}}],
        "ports": [{"protocol": "TCP", "port": 4318}],
    }
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["values"] == ["step", "edge"]
    assert "ratchet-to-collector" not in {d["metadata"]["name"] for d in render("platform")}


def test_prometheus_finds_the_exporter_under_the_name_that_the_alerts_look_for(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    documents = render("serving", *EXPORTER)

    monitor = of(documents, "ServiceMonitor")["spec"]
    labels = of(documents, "Service", "support-exporter")["metadata"]["labels"]
    assert labels[monitor["jobLabel"]] == "ratchet"
    (endpoint,) = monitor["endpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "line", "replacement": "support"}]
    assert endpoint["honorLabels"] is True  # else what it tells is of an `exported_line`
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
