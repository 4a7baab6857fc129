"""The pod of a step, held against the schemas of Kubernetes and the rules of restricted Pod Security."""

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from ratchet.clients.settings import KubernetesSettings, Settings, StoreSettings
from ratchet.core.telemetry import RunTrace
from ratchet.orchestration.pods import Origin, image_of, pod, pod_name
from ratchet.orchestration.runtime import Work
from ratchet.recipes.resources import PodResources, Toleration
from ratchet.rollback.contract import RollbackInputs
from ratchet.steps import STEPS

TRACE = RunTrace.of("release_support", "by-mia-2026")
INPUTS = RollbackInputs(line="support", by="mia", reason="{{ slow }}")
ORIGIN = Origin("support", "release_support", "finetune", "https://airflow/x")
GPU = PodResources(
    cpu=8,
    memory_gib=64,
    gpus=1,
    node_selector={"gpu": "h100"},
    tolerations=(Toleration(key="nvidia.com/gpu", effect="NoSchedule"),),
    queue="training",
    priority_class="ratchet-training",
    grace_seconds=300,
)


def settings(**fields: Any) -> Settings:
    where = {"root": Path("/p"), "runtime": "kubernetes", "tracking_uri": "http://mlflow", **fields}
    return Settings(store=StoreSettings(kind="s3", bucket="b"), **where)


def work(step: str = "finetune", key: str = "a" * 64) -> Work:
    return Work(STEPS[step], INPUTS, key, run_id="by-mia-2026", attempt="1", trace=TRACE)


def rendered(step: str = "finetune", resources: PodResources = GPU) -> dict[str, Any]:
    return pod(work(step), resources, settings(), ORIGIN)


@pytest.mark.parametrize("step", sorted(STEPS))
@pytest.mark.parametrize("resources", [PodResources(), GPU], ids=["plain", "gpu"])
def test_every_pod_is_valid_today(step: str, resources: PodResources) -> None:
    kubernetes_validate.validate(rendered(step, resources), "1.34", strict=True)


@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_pod_is_restricted(step: str) -> None:
    spec = rendered(step)["spec"]
    (container,) = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all("sizeLimit" in volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume)


@pytest.mark.parametrize("step", sorted(STEPS))
def test_only_steps_that_move_the_serving_side_get_a_token(step: str) -> None:
    spec = rendered(step)["spec"]
    serves = step in {"resolve", "stage", "promote", "bake", "unload", "rollback", "drill", "monitor"}

    assert spec["automountServiceAccountToken"] is serves
    assert spec["serviceAccountName"] == ("ratchet-serving" if serves else "ratchet-compute")


def test_the_recipe_says_what_a_pod_asks_for() -> None:
    made = rendered()
    spec = made["spec"]

    assert spec["containers"][0]["resources"] == {
        "requests": {"cpu": "8.0", "memory": "65536Mi", "nvidia.com/gpu": "1"},
        "limits": {"memory": "65536Mi", "nvidia.com/gpu": "1"},
    }
    assert spec["nodeSelector"] == {"gpu": "h100"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert spec["priorityClassName"] == "ratchet-training"
    assert spec["terminationGracePeriodSeconds"] == 300
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "training"


def test_a_pod_that_everybody_forgot_ends_by_itself() -> None:
    forgotten = pod(work(), GPU, settings(), Origin("support", "d", "t", deadline_seconds=3600))

    assert forgotten["spec"]["activeDeadlineSeconds"] == 3600


def test_no_secret_is_in_the_pod_but_by_reference() -> None:
    secrets = [volume for volume in rendered()["spec"]["volumes"] if "secret" in volume]

    assert [volume["secret"]["secretName"] for volume in secrets] == ["ratchet-store"]
    assert not any("valueFrom" in variable for variable in rendered()["spec"]["containers"][0]["env"])


def test_the_same_work_has_the_same_name_and_other_work_another() -> None:
    assert pod_name(work()) == pod_name(work())
    assert pod_name(work()) != pod_name(work(key="b" * 64))


def test_a_pod_leads_back_to_the_run_and_is_found_by_recipe_and_step() -> None:
    metadata = rendered()["metadata"]

    assert metadata["annotations"]["ratchet.dev/run"] == "by-mia-2026"
    assert metadata["annotations"]["ratchet.dev/dag"] == "release_support"
    assert metadata["annotations"]["ratchet.dev/task-url"] == "https://airflow/x"
    assert (metadata["labels"]["ratchet.dev/line"], metadata["labels"]["ratchet.dev/step"]) == ("support", "finetune")


def test_inputs_reach_the_step_as_they_are() -> None:
    program, step, inputs = rendered()["spec"]["containers"][0]["args"]

    assert (program, step) == ("ratchet", "finetune")
    assert json.loads(inputs)["reason"] == "{{ slow }}"


def test_kubernetes_expands_nothing_in_the_inputs() -> None:
    price = INPUTS.model_copy(update={"reason": "costs $$5, see $(HOME)"})
    made = pod(Work(STEPS["finetune"], price, "a" * 64, "r", "1", TRACE), GPU, settings(), ORIGIN)

    assert "costs $$$$5, see $$(HOME)" in made["spec"]["containers"][0]["args"][2]


def test_an_image_may_be_named_by_its_digest() -> None:
    pinned = settings(kubernetes=KubernetesSettings(image_prefix="reg/team", images={"train": "reg/t@sha256:0"}))

    assert image_of(pinned, "train") == "reg/t@sha256:0"
    assert image_of(pinned, "ops").startswith("reg/team/ops:")
