"""Both charts as a user installs them: rendered by Helm, held against Kubernetes' schemas, wrong values refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from tests.unit.helm.conftest import EDGE, EXPORTER, FEEDBACK, ROOT, TODAY, helm, needed, of, pod_specs

STEPS_ON_SERVING = {"resolve", "stage", "promote", "bake", "unload", "rollback", "drill", "monitor"}
GATEWAY = ("--set", "router=gateway,gateway.name=public")
# What the schemas of Kubernetes do not hold.
CUSTOM = {"HTTPRoute", "PrometheusRule", "ServiceMonitor"}


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
