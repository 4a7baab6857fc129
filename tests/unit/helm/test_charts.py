"""Both charts as a user installs them: rendered by Helm, held against Kubernetes' schemas, wrong values refused."""

import argparse
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ratchet.serving.edge import __main__ as edge_pod
from ratchet.serving.feedback import __main__ as feedback_pod
from ratchet.sight import edge_pods
from ratchet.sight.arguments import BESIDE_AIRFLOW, NAMES
from ratchet.sight.arguments import add_arguments as add_exporter_arguments

ROOT = Path(__file__).parents[3]
HELM = ROOT / ".venv" / "bin" / "helm"
TODAY = "1.34"
WIKI = "https://wiki.example.org/ratchet/"
STEPS_ON_SERVING = {"resolve", "stage", "promote", "bake", "unload", "rollback", "drill", "monitor"}
EDGE = ("--set", "edge.enabled=true,service.type=NodePort,service.nodePort=30080")
EXPORTER = ("--set", "exporter.enabled=true,exporter.serviceMonitor.enabled=true,alerts.enabled=true")
FEEDBACK = ("--set", "edge.enabled=true,feedback.enabled=true")
GATEWAY = ("--set", "router=gateway,gateway.name=public")
# What the schemas of Kubernetes do not hold.
CUSTOM = {"HTTPRoute", "PrometheusRule", "ServiceMonitor"}


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


@pytest.mark.parametrize(
    ("chart", "options"),
    [
        ("platform", ()),
        ("platform", ("--set", "priorityClasses.create=true,mlflow.databaseSecret=pg,mlflow.artifactRoot=s3://b/a")),
        ("platform", ("--set", "networkPolicies.enabled=false,quota.enabled=false,limits.enabled=false")),
        ("serving", ()),
        ("serving", ("--set", "autoscaling.kind=hpa,engine.priorityClass=ratchet-serving,service.type=NodePort")),
        ("serving", GATEWAY),
        ("serving", EDGE),
        ("serving", (*EXPORTER, *GATEWAY)),
        ("serving", (*EXPORTER, *EDGE)),
        ("serving", ("--set", "alertmanager.enabled=true,collector.enabled=true")),
        ("platform", ("--set", "networkPolicies.collector[0].namespaceSelector.matchLabels.name=sight")),
    ],
)
def test_what_is_rendered_is_valid_today(
    render: Callable[..., list[dict[str, Any]]], chart: str, options: tuple[str, ...]
) -> None:
    for document in render(chart, *options):
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, TODAY, strict=True)


@pytest.mark.parametrize("chart", ["platform", "serving"])
def test_the_linter_has_nothing_to_say(chart: str, config: Path) -> None:
    done = helm("lint", "--strict", "--kube-version", TODAY, str(ROOT / "helm" / chart), *needed(chart, config))

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("chart", "option", "named"),
    [
        ("platform", "mlflow.replicas=0", "mlflow.replicas"),
        ("platform", "image.pullPolicy=Sometimes", "image.pullPolicy"),
        ("platform", "networkPolicy.enabled=true", "networkPolicy"),
        ("platform", "networkPolicies.storeCidrs[0]=everywhere", "networkPolicies.storeCidrs"),
        ("serving", "engine.drainSeconds=30", "engine.drainSeconds"),
        ("serving", "device=tpu", "device"),
        ("serving", "engine.replica=2", "replica"),
        ("serving", "autoscaling.kvCacheUsage=90", "autoscaling.kvCacheUsage"),
        ("serving", "edge.enabled=yes-please", "edge.enabled"),
        ("serving", "edge.enabled=true,router=gateway,gateway.name=public", "edge.enabled"),
        ("serving", "feedback.enabled=true", "feedback.enabled needs edge.enabled"),
        ("serving", "edge.enabled=true,feedback.replicas=2", "replicas"),
        ("serving", "alerts.runbooks=our-wiki", "alerts.runbooks"),
        ("serving", "alertmanager.secret=../elsewhere", "alertmanager.secret"),
    ],
)
def test_a_wrong_value_is_refused_by_name(chart: str, option: str, named: str, config: Path) -> None:
    done = helm("template", "x", str(ROOT / "helm" / chart), *needed(chart, config), "--set", option)

    assert done.returncode != 0
    assert named in done.stderr


@pytest.mark.parametrize("chart", ["platform", "serving"])
def test_every_value_is_explained(chart: str) -> None:
    """Above each value of the top level, or above its first one below, stands a comment."""
    lines = (ROOT / "helm" / chart / "values.yaml").read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"^[a-zA-Z]+:", line):
            around = lines[max(number - 1, 0)], *lines[number + 1 : number + 3]
            assert any(text.strip().startswith("#") for text in around), line


def test_without_a_configuration_the_platform_says_what_is_missing() -> None:
    done = helm("template", "ratchet", str(ROOT / "helm" / "platform"))

    assert done.returncode != 0
    assert "--set-file config=ratchet.toml" in done.stderr


@pytest.mark.parametrize(
    ("chart", "options"),
    [("platform", ()), ("serving", ()), ("serving", EDGE), ("serving", EXPORTER), ("serving", FEEDBACK)],
)
def test_every_container_is_restricted(
    render: Callable[..., list[dict[str, Any]]], chart: str, options: tuple[str, ...]
) -> None:
    specs = list(pod_specs(render(chart, *options)))
    assert specs
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


def test_there_is_an_account_for_each_kind_of_step_and_none_may_do_everything(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    documents = render("platform")
    accounts = {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceAccount"}

    assert accounts == {"ratchet-compute", "ratchet-serving", "ratchet-engine", "ratchet-launcher"}
    for role in (d for chart in ("platform", "serving") for d in render(chart) if d["kind"] == "Role"):
        for rule in role["rules"]:
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
            assert "secrets" not in rule["resources"]
    assert not [d for d in documents if d["kind"].startswith("Cluster")]


def test_the_steps_that_may_reach_the_api_server_are_those_that_have_a_token(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    policy = of(render("platform"), "NetworkPolicy", "ratchet-serving-steps")

    (expression,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == STEPS_ON_SERVING


def test_by_default_nothing_goes_in_or_out(render: Callable[..., list[dict[str, Any]]]) -> None:
    policy = of(render("platform"), "NetworkPolicy", "ratchet-default-deny")

    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(policy["spec"])


def test_both_colours_begin_empty_and_users_on_blue(render: Callable[..., list[dict[str, Any]]]) -> None:
    documents = render("serving")

    assert {of(documents, "Deployment", f"support-{colour}")["spec"]["replicas"] for colour in ("blue", "green")} == {0}
    assert of(documents, "Service", "support")["spec"]["selector"]["ratchet.dev/colour"] == "blue"


def test_only_the_fetching_container_sees_the_store(render: Callable[..., list[dict[str, Any]]]) -> None:
    for spec in pod_specs(render("serving")):
        (engine,) = spec["containers"]
        assert "secrets" not in [mount["name"] for mount in engine["volumeMounts"]]
        assert not any("valueFrom" in e and "secretKeyRef" in e["valueFrom"] for e in engine["env"])


def test_a_pod_has_time_to_finish_its_answers(render: Callable[..., list[dict[str, Any]]]) -> None:
    for spec in pod_specs(render("serving", "--set", "engine.drainSeconds=300")):
        (engine,) = spec["containers"]
        drain = next(int(e["value"]) for e in engine["env"] if e["name"] == "RATCHET_DRAIN_SECONDS")
        assert drain == 300
        assert spec["terminationGracePeriodSeconds"] >= drain + 5


def test_probes_ask_for_a_token_and_not_for_health_alone(render: Callable[..., list[dict[str, Any]]]) -> None:
    for spec in pod_specs(render("serving")):
        (engine,) = spec["containers"]
        for probe in ("startupProbe", "readinessProbe"):
            assert engine[probe]["httpGet"]["path"] == "/-/ready"


def test_behind_a_gateway_users_reach_three_paths_with_weights(render: Callable[..., list[dict[str, Any]]]) -> None:
    (rule,) = of(render("serving", *GATEWAY), "HTTPRoute")["spec"]["rules"]

    assert {match["path"]["value"] for match in rule["matches"]} == {
        *("/v1/chat/completions", "/v1/completions", "/v1/models")
    }
    assert {ref["name"]: ref["weight"] for ref in rule["backendRefs"]} == {"support-blue": 100, "support-green": 0}


@pytest.mark.parametrize(("version", "api"), [("1.20", "policy/v1beta1"), (TODAY, "policy/v1")])
def test_an_older_cluster_gets_its_own_spelling(
    render: Callable[..., list[dict[str, Any]]], version: str, api: str
) -> None:
    assert of(render("serving", version=version), "PodDisruptionBudget")["apiVersion"] == api


def test_without_an_edge_there_is_nothing_of_it(render: Callable[..., list[dict[str, Any]]]) -> None:
    assert not [d for d in render("serving") if d["metadata"]["name"] == "support-edge"]


def test_with_an_edge_users_come_in_by_it_alone(render: Callable[..., list[dict[str, Any]]]) -> None:
    documents = render("serving", *EDGE)

    edge, behind = (of(documents, "Service", name)["spec"] for name in ("support-edge", "support"))
    assert (edge["type"], edge["ports"][0]["nodePort"], edge["selector"]["app.kubernetes.io/component"]) == (
        *("NodePort", 30080, "edge"),
    )
    assert (behind["type"], "nodePort" in behind["ports"][0]) == ("ClusterIP", False)
    assert behind["selector"]["ratchet.dev/colour"] == "blue"  # which releases move, as without an edge
    to_engines = of(documents, "NetworkPolicy", "support-engines")["spec"]["ingress"]
    asking = [
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for rule in to_engines
        for peer in rule["from"]
    ]
    assert asking == ["edge", "step"]


def test_an_edge_without_its_secret_does_not_start(render: Callable[..., list[dict[str, Any]]]) -> None:
    spec = of(render("serving", *EDGE), "Deployment", "support-edge")["spec"]["template"]["spec"]

    (keys,) = [volume for volume in spec["volumes"] if volume["name"] == "keys"]
    assert keys["secret"] == {"secretName": "support-edge-keys", "defaultMode": 0o440}


def test_the_edge_is_started_as_its_program_is_tested(render: Callable[..., list[dict[str, Any]]]) -> None:
    spec = of(render("serving", *EDGE), "Deployment", "support-edge")["spec"]["template"]["spec"]

    module, *options = spec["containers"][0]["args"]
    assert module == edge_pod.__name__.removesuffix(".__main__")
    told = edge_pod._parser().parse_args(options)
    assert (told.users, told.upstream) == (
        edge_pod.Place("0.0.0.0", 8000),
        edge_pod.Place("support.default.svc", 8000),
    )
    assert told.admin.host == "127.0.0.1"  # whoever reaches Envoy's own page may stop it
    assert told.counts is None
    assert spec["terminationGracePeriodSeconds"] >= told.drain_seconds + 5


def test_feedback_is_taken_behind_the_edge_alone_and_without_a_token(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    documents = render("serving", *FEEDBACK)

    edge = of(documents, "Deployment", "support-edge")["spec"]["template"]["spec"]["containers"][0]
    told = edge_pod._parser().parse_args(edge["args"][1:]).feedback
    spec = of(documents, "Deployment", "support-feedback")["spec"]["template"]["spec"]
    module, *options = spec["containers"][0]["args"]
    taken = feedback_pod._parser().parse_args(options)
    assert module == feedback_pod.__name__.removesuffix(".__main__")
    assert (told, taken.listen, taken.line) == (
        edge_pod.Place("support-feedback.default.svc", 8000),
        *("0.0.0.0:8000", "support"),
    )
    assert spec["serviceAccountName"] == "support-feedback"
    policies = [of(documents, "NetworkPolicy", f"support-{name}")["spec"] for name in ("feedback", "edge")]
    selectors = [policy["podSelector"] for policy in policies]
    assert [peer["podSelector"] for peer in policies[0]["ingress"][0]["from"]] == [selectors[1]]
    assert selectors[0] in [peer["podSelector"] for peer in policies[1]["egress"][0]["to"]]
    assert not [d for d in documents if d["kind"] == "Role" and d["metadata"]["name"] == "support-feedback"]


def test_without_feedback_there_is_nothing_of_it(render: Callable[..., list[dict[str, Any]]]) -> None:
    assert "feedback" not in str(render("serving", *EDGE))


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
