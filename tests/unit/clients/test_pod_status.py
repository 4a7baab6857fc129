"""Why a pod ended, from what the API says about it."""

from typing import Any

import pytest

from ratchet.clients.pod_status import ending, standing_of, trouble

SPEC = {
    "nodeSelector": {"gpu": "h100"},
    "containers": [
        {
            "name": "step",
            "image": "ratchet/train:1",
            "resources": {"requests": {"cpu": "2", "nvidia.com/gpu": "8"}, "limits": {"memory": "3072Mi"}},
        }
    ],
}


def pod(state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    statuses = [{"name": "step", "state": state}] if state else []
    return {"metadata": {"name": "p"}, "spec": SPEC, "status": {"containerStatuses": statuses, **status}}


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason}}


@pytest.mark.parametrize("code", [0, 65, 75, 99])
def test_a_step_that_ended_by_itself_says_so_by_its_exit_code(code: int) -> None:
    assert ending(pod(ended(code)), "step").exit_code == code


def test_out_of_memory_is_called_so_and_not_repeated_blindly() -> None:
    how = ending(pod(ended(137, "OOMKilled")), "step")

    assert (how.exit_code, how.code) == (65, "OUT_OF_MEMORY")
    assert "OUT OF MEMORY" in how.why
    assert "3072Mi" in how.why
    assert "memory_gib" in how.why


@pytest.mark.parametrize(
    ("found", "said", "code"),
    [
        (pod(ended(137), reason="Evicted", message="low on disk"), "Evicted", "POD_LOST"),
        (pod(ended(143), reason="Shutdown", message="node is going down"), "Shutdown", "POD_LOST"),
        (pod(reason="NodeLost", phase="Unknown"), "NodeLost", "POD_LOST"),
        (pod(ended(137)), "", None),
        (None, "gone", "POD_LOST"),
    ],
)
def test_what_the_cluster_did_may_be_tried_again(found: dict[str, Any] | None, said: str, code: str | None) -> None:
    how = ending(found, "step")

    assert how.exit_code not in (0, 65)
    assert said in how.why
    assert how.code == code


def test_an_image_that_cannot_be_pulled_is_named() -> None:
    how = ending(pod({"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}, phase="Pending"), "step")

    assert (how.exit_code, how.code) == (65, "IMAGE_PULL")
    assert "ratchet/train:1" in how.why
    assert "make images" in how.why


def test_a_request_that_no_node_satisfies_is_named_with_what_was_asked() -> None:
    message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    conditions = [{"type": "PodScheduled", "status": "False", "message": message}]

    how = ending(pod(phase="Pending", conditions=conditions), "step")

    assert (how.exit_code, how.code) == (75, "POD_UNSCHEDULABLE")
    assert message in how.why
    assert "nvidia.com/gpu=8" in how.why
    assert "gpu=h100" in how.why


def test_an_engine_on_its_way_is_no_trouble_and_one_that_ended_is() -> None:
    starting = {"name": "engine", "state": {"running": {}}, "ready": False}
    crashed = {"name": "fetch", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended(65)}

    assert trouble({"status": {"containerStatuses": [starting]}}) is None
    found = trouble({"status": {"initContainerStatuses": [crashed], "containerStatuses": [starting]}})

    assert found is not None
    assert (found.container, found.why) == ("fetch", "fetch ended with exit code 65")


def test_an_engine_that_ended_once_and_is_ready_again_is_no_trouble() -> None:
    again = {"name": "engine", "state": {"running": {}}, "ready": True, "lastState": ended(137, "OOMKilled")}

    assert trouble({"status": {"containerStatuses": [again]}}) is None


def test_how_far_a_pod_is_fits_on_a_line() -> None:
    unscheduled = [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]

    assert standing_of({"status": {"phase": "Pending", "conditions": unscheduled}}) == "no node can take it: 0/3 nodes"
    assert standing_of({"status": {"phase": "Running"}}) == "running"
