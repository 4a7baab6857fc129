"""helm/serving's edge, and what takes feedback behind it."""

from collections.abc import Callable
from typing import Any

from tests.unit.helm.conftest import EDGE, FEEDBACK, of

from ratchet.serving.edge import __main__ as edge_pod
from ratchet.serving.feedback import __main__ as feedback_pod


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
