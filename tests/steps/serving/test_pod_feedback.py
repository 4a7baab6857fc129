"""Feedback on a cluster: two of the edge's pods before one engine, and one service that takes what is said."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from tests.steps.serving.conftest import free_ports
from tests.steps.serving.test_edge_pod import MIA, Pod, answers, eventually, pod

from ratchet.clients.settings import load
from ratchet.core.feedback import Feedback
from ratchet.serving.feedback.inbox import inbox_of

pytestmark = pytest.mark.timeout(180)
BEN = "rk-the-key-of-ben"


class Cluster:
    """Two pods, and the service; which of them is asked, chance says."""

    def __init__(self, folder: Path, port: int, pods: list[Pod]) -> None:
        self.folder, self.port, self.pods = folder, port, pods
        self.service: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.folder / "ratchet.toml"
        config.touch()
        environment = {**os.environ, "RATCHET_CONFIG": str(config)}
        command = [
            sys.executable,
            "-m",
            "ratchet.serving.feedback",
            "--line=support",
            f"--listen=127.0.0.1:{self.port}",
        ]
        with (self.folder / "feedback.log").open("ab") as log:
            self.service = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        eventually(lambda: self.say(0, answer="x").status_code == 404)

    def stop(self) -> None:
        assert self.service
        self.service.terminate()
        self.service.wait(20)

    def say(self, pod: int, key: str = MIA, **fields: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        body = {"rating": "down", **fields}
        return httpx.post(f"{self.pods[pod].url}/v1/feedback", json=body, headers=headers, timeout=20.0)

    def kept(self) -> list[Feedback]:
        return list(inbox_of(load(self.folder / "ratchet.toml")).read())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    port = free_ports("feedback")["feedback"]
    with ExitStack() as stack:
        pods = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            keys = {"mia": MIA, "ben": BEN}
            pods.append(stack.enter_context(pod(tmp_path / name, keys, feedback=f"127.0.0.1:{port}")))
            eventually(lambda: answers(f"{pods[-1].url}/health"))
        made = Cluster(tmp_path, port, pods)
        made.start()
        stack.callback(made.stop)
        yield made


def test_feedback_on_an_answer_of_any_pod_is_taken_by_any_and_from_who_asked_alone(cluster: Cluster) -> None:
    answer = cluster.pods[0].ask(MIA).headers["x-request-id"]

    assert cluster.say(1, BEN, answer=answer).json()["error"]["code"] == "answer_not_found"
    told = cluster.say(1, answer=f"chatcmpl-{answer}", corrected="refund", question="where is my money")

    assert (told.status_code, told.json()["release"]) == (202, "a")
    (feedback,) = cluster.kept()
    assert (feedback.key, feedback.colour, feedback.corrected) == ("mia", "blue", "refund")
    assert answer in (cluster.pods[0].folder / "pod.log").read_text()  # the pod's own log has it too


def test_answers_that_were_given_while_the_service_was_away_are_known_when_it_is_back(cluster: Cluster) -> None:
    cluster.stop()
    answer = cluster.pods[0].ask(MIA).headers["x-request-id"]
    assert cluster.say(0, answer=answer).json()["error"]["code"] == "feedback_away"
    eventually(lambda: "is away" in (cluster.pods[0].folder / "pod.log").read_text())

    cluster.start()

    eventually(lambda: cluster.say(1, answer=answer).status_code == 202)


def test_answers_of_a_pod_that_is_gone_are_known(cluster: Cluster) -> None:
    answer = cluster.pods[0].ask(MIA).headers["x-request-id"]
    cluster.pods[0].process.terminate()

    assert cluster.pods[0].process.wait(30) == 0
    assert cluster.say(1, answer=answer).status_code == 202


def test_no_user_tells_which_answers_were_given(cluster: Cluster) -> None:
    told = httpx.post(f"{cluster.pods[0].url}/answers", content=b"{}", headers={"Authorization": f"Bearer {MIA}"})

    assert (told.status_code, told.json()["error"]["code"]) == (404, "not_found")
