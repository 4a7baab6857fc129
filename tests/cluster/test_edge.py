"""The edge of a cluster in two pods, with what counts its requests and what takes feedback, before an engine of a few
lines: no release is needed, and the images `ops`, `airflow` and `test-store` are enough.
"""

import json
import os
import re
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.cluster.bench import Bench, until
from tests.cluster.conftest import configure, lay_out
from tests.cluster.proxy import through
from tests.fakes.events import event
from tests.fakes.release_world import loaded

from ratchet.clients.kubernetes_engine import LOADED
from ratchet.local.sample import generate
from ratchet.serving.feedback.inbox import FeedbackInbox
from ratchet.serving.feedback.store_inbox import inbox_of_line

pytestmark = pytest.mark.timeout(1200)
KEYS = {"mia": "rk-the-key-of-mia", "ben": "rk-the-key-of-ben"}
EDGE = "app.kubernetes.io/component=edge"
VALUES = (
    "edge.enabled=true,edge.replicas=2,engine.drainSeconds=120,feedback.enabled=true",
    "exporter.enabled=true,exporter.sources={router,edge}",
)


@pytest.fixture(scope="module")
def place() -> Iterator[Bench]:
    """In a namespace of its own: an edge changes the users' address, which the release's tests go by."""
    home = Path(tempfile.mkdtemp(prefix="ratchet-edge-"))
    bench = Bench(f"ratchet-{uuid.uuid4().hex[:6]}", home, through(Path(os.environ["KUBECONFIG"]), home / "kubeconfig"))
    try:
        bench.kubectl("create", "namespace", bench.namespace)
        install(bench)
        yield bench
    finally:
        bench.kubectl("delete", "namespace", bench.namespace, "--wait=false", check=False)
        shutil.rmtree(home, ignore_errors=True)


def install(bench: Bench) -> None:
    bench.install_store()
    bench.install_serving()
    lay_out(bench.home)
    configure(bench)
    bench.install_platform("--set", "mlflow.enabled=false")
    bench.kubectl(
        "create", "secret", "generic", "support-edge-keys", f"--from-literal=edge-keys.json={json.dumps(KEYS)}"
    )
    bench.install_serving(*(part for values in VALUES for part in ("--set", values)))
    script = Path(__file__).parent / "fake_engine.py"
    bench.kubectl("create", "configmap", "engine", f"--from-file=engine.py={script}")
    bench.kubectl("patch", "deployment", "support-blue", "--type=merge", "-p", json.dumps(fake_engine(bench)))
    bench.world.ledger("support").append(lambda _: event("bootstrap", "a"))
    for name in ("blue", "edge", "exporter", "feedback"):
        bench.kubectl("rollout", "status", f"deployment/support-{name}", "--timeout=280s")


def fake_engine(bench: Bench) -> dict[str, Any]:
    container = {
        "name": "engine",
        "image": bench.image("ops"),
        "command": ["python", "/engine/engine.py"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "volumeMounts": [{"name": "engine", "mountPath": "/engine"}],
        "resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "128Mi"}},
    }
    pod = {
        "initContainers": None,
        "containers": [container],
        "volumes": [{"name": "engine", "configMap": {"name": "engine"}}],
    }
    annotations = {LOADED: loaded("a").canonical_json().decode()}
    return {"spec": {"replicas": 1, "template": {"metadata": {"annotations": annotations}, "spec": pod}}}


def ask(bench: Bench, want: str = "200", key: str = KEYS["mia"]) -> httpx.Response:
    """On a connection of its own: chance says by which pod."""
    headers = {"Authorization": f"Bearer {key}", "want": want}
    return httpx.post(f"{bench.address('support-edge')}/v1/chat/completions", json={}, headers=headers, timeout=30)


def say(bench: Bench, answer: str, key: str = KEYS["mia"], **fields: str) -> httpx.Response:
    body = {"answer": answer, "rating": "down", **fields}
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{bench.address('support-edge')}/v1/feedback", json=body, headers=headers, timeout=30)


def counted(bench: Bench) -> "Counter[tuple[str, str, str]]":
    """By pod, release and code, as Prometheus reads it from the exporter."""
    path = f"/api/v1/namespaces/{bench.namespace}/services/support-exporter:metrics/proxy/metrics"
    found: Counter[tuple[str, str, str]] = Counter()
    for family in text_string_to_metric_families(bench.kubectl("get", "--raw", path)):
        for sample in family.samples if family.name == "llm_requests" else ():
            found[sample.labels["pod"], sample.labels["release"], sample.labels["code"]] += int(sample.value)
    return found


def inbox(bench: Bench) -> FeedbackInbox:
    return inbox_of_line(bench.world, "support")


def test_what_users_asked_is_counted_by_pod_and_release_and_how_it_ended(place: Bench) -> None:
    for _ in range(40):
        assert ask(place).status_code == 200
    for want in ("500", "404"):
        assert str(ask(place, want).status_code) == want
    with pytest.raises(httpx.RemoteProtocolError):
        ask(place, "cut")
    assert ask(place, key="rk-guessed-by-somebody").status_code == 401

    def by_code() -> dict[tuple[str, str], int]:
        total: Counter[tuple[str, str]] = Counter()
        for (_, release, code), number in counted(place).items():
            total[release, code] += number
        return dict(total)

    expected = {("a", "2xx"): 40, ("a", "5xx"): 1, ("a", "4xx"): 1, ("a", "cut"): 1, ("none", "5xx"): 0}
    until(lambda: by_code() == expected, 60, f"the exporter tells {expected}")
    pods = {pod["metadata"]["name"] for pod in place.pods(EDGE)}
    shares = {pod: number for (pod, release, code), number in counted(place).items() if (release, code) == ("a", "2xx")}
    assert set(shares) == pods
    assert all(shares.values())


def test_a_pod_that_is_replaced_takes_nothing_from_what_the_others_counted(place: Bench) -> None:
    before = counted(place)
    first, second = sorted({pod for pod, _, _ in before})
    place.kubectl("delete", "pod", first, "--grace-period=10")
    until(lambda: first not in {pod for pod, _, _ in counted(place)}, 120, "the new pod is asked instead")
    until(lambda: len({pod for pod, _, _ in counted(place)}) == 2, 120, "both are asked")

    after = counted(place)
    assert {key: number for key, number in after.items() if key[0] == second} == {
        key: number for key, number in before.items() if key[0] == second
    }
    assert not any(number for key, number in after.items() if key[0] != second)


@pytest.mark.parametrize(
    ("port", "path", "is_shown"),
    [(8711, "stats/prometheus", True), (8711, "config_dump", False), (8711, "quitquitquit", False), (8709, "", False)],
)
def test_of_envoys_own_page_a_pod_shows_its_counts_alone(place: Bench, port: int, path: str, is_shown: bool) -> None:
    (pod, *_) = place.pods(EDGE)
    where = f"/api/v1/namespaces/{place.namespace}/pods/{pod['metadata']['name']}:{port}/proxy/{path}"
    shown = place.kubectl("get", "--raw", where, check=False)

    assert bool(shown) is is_shown


def test_feedback_waits_in_the_store_for_a_person(place: Bench) -> None:
    answer = ask(place).headers["x-request-id"]

    assert say(place, answer, KEYS["ben"]).json()["error"]["code"] == "answer_not_found"
    told = say(place, f"chatcmpl-{answer}", corrected="refund", question="call me at mia@example.org")

    assert told.status_code == 202, told.text
    found = told.json()["id"]
    assert [(one.id, one.release, one.key) for one in inbox(place).read()] == [(found, "a", "mia")]
    listed = place.ratchet("feedback")
    assert found in listed.stdout, listed.stderr
    assert "[email]" in place.ratchet("feedback", "show", found).stdout
    assert place.ratchet("feedback", "reject", found, "--reason", "a test").returncode == 0
    assert re.search("no feedback waits", place.ratchet("feedback").stdout)


def test_accepted_feedback_is_a_row_of_the_next_version(place: Bench, tmp_path: Path) -> None:
    generate(tmp_path / "week.csv", seed=1, num_rows=400)
    submitted = place.ratchet("submit", str(tmp_path / "week.csv"))
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    answer, question = ask(place).headers["x-request-id"], "my bicycle never came, so give me back what it cost"

    def told() -> httpx.Response | None:
        said = say(place, answer, corrected="refund_request", question=question)
        return said if said.status_code == 202 else None

    found = until(told, 30, "the service knows the answer").json()["id"]
    accepted = place.ratchet("feedback", "accept", found)

    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    before, after = place.world.datasets("support").records()
    assert (before.num_rows + 1, after.made_from) == (after.num_rows, before.seq)
    assert question in place.world.store.read_bytes(after.rows).decode()


def test_an_answer_leads_to_its_release(place: Bench) -> None:
    answers = [ask(place).headers["x-request-id"] for _ in range(6)]  # of both pods, most likely

    for answer in answers:

        def told(answer: str = answer) -> bool:
            return "a: bootstrap" in place.ratchet("trace", f"chatcmpl-{answer}").stdout

        until(told, 60, "the pod's log has its line, which Envoy writes once in a while")


def test_an_answer_is_known_after_the_service_was_replaced(place: Bench) -> None:
    answer = ask(place).headers["x-request-id"]
    until(lambda: say(place, answer, comment="before").status_code == 202, 30, "the service knows the answer")
    place.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=feedback", "--grace-period=5")
    place.kubectl("rollout", "status", "deployment/support-feedback", "--timeout=280s")

    until(lambda: say(place, answer, comment="after").status_code == 202, 60, "the new pod knows it too")
    assert {one.comment for one in inbox(place).read()} >= {"before", "after"}


def test_the_service_has_no_token_and_writes_nothing_but_its_volume(place: Bench) -> None:
    (pod,) = place.pods("app.kubernetes.io/component=feedback")
    looked = (
        "test ! -e /var/run/secrets/kubernetes.io && ! touch /opt/ratchet/x 2>/dev/null && ls /state/logs/access.log"
    )

    said = place.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", looked, check=False)
    assert said.strip() == "/state/logs/access.log"
