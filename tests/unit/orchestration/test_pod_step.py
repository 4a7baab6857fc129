"""The operator around a pod, without a cluster: what it asks for, and what it makes of how a pod ended.

tests/cluster has the same with pods that run.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_validate
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred
from kubernetes.client import ApiClient, ApiException

from ratchet.clients import manifests
from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.orchestration import pods
from ratchet.orchestration.operator import sealed, work_of
from ratchet.orchestration.pod_step import PodStep, _refused
from ratchet.recipes.resources import PodResources

ROOT = Path(__file__).parents[3]
INPUTS = {"line": "support", "by": "mia", "reason": "{{ slow }}", "to_release": ""}
BEGAN = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    import boto3

    config = tmp_path / "ratchet.toml"
    config.write_text(
        f'root = "{ROOT}"\nstate_dir = "{tmp_path}/state"\nruntime = "kubernetes"\ntracking_uri = "http://mlflow"\n'
        f'[store]\nkind = "s3"\nbucket = "{tmp_path.name.replace("_", "-")}"\nendpoint_url = "{s3_url}"\n'
    )
    monkeypatch.setenv("RATCHET_CONFIG", str(config))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    settings = load()
    boto3.client("s3", endpoint_url=s3_url).create_bucket(Bucket=settings.store.bucket)
    return World(settings, settings.scratch)


class Context(dict[str, Any]):
    """What Airflow hands to a task; `pushed` is what the task put out."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        task = SimpleNamespace(
            dag_id="release_support",
            task_id="rollback",
            try_number=1,
            map_index=-1,
            start_date=BEGAN,
            log_url="https://airflow/log",
            xcom_push=lambda key, value: self.pushed.update({key: value}),
        )
        super().__init__(ti=task, run_id="by-mia", dag=SimpleNamespace())


@pytest.fixture
def step(world: World) -> PodStep:
    made = PodStep(
        task_id="rollback", line="support", step="rollback", inputs=sealed(INPUTS), pod_resources=PodResources()
    )
    made.render_template_fields({"slow": "rendered"})
    return made


def record(world: World, step: PodStep, context: Context, **outputs: Any) -> None:
    work = work_of(step.step, step.inputs, context, world.settings)
    manifest = Manifest(
        step="rollback", key=work.key, outputs=outputs, started_at=BEGAN, wall_seconds=1, peak_memory_mib=1
    )
    manifests.write(world.store, manifest)


def ended(code: int, **status: Any) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": "Error"}}
    return {"spec": {"containers": []}, "status": {"containerStatuses": [{"name": "step", "state": state}], **status}}


def test_the_pod_that_airflow_would_start_is_valid_and_named_after_the_work(world: World, step: PodStep) -> None:
    context = Context()
    work = work_of(step.step, step.inputs, context, world.settings)
    step.name = pods.pod_name(work)
    step.pod_template_dict = pods.pod(work, step.pod_resources, world.settings, step._origin(context))

    made = ApiClient().sanitize_for_serialization(step.build_pod_request_obj(context, dry_run=True))

    kubernetes_validate.validate(made, "1.34", strict=True)
    assert made["metadata"]["name"] == pods.pod_name(work)
    assert made["metadata"]["labels"]["dag_id"] == "release_support"
    assert made["metadata"]["annotations"]["ratchet.dev/task-url"] == "https://airflow/log"
    assert [container["name"] for container in made["spec"]["containers"]] == ["step"]
    assert json.loads(made["spec"]["containers"][0]["args"][2])["reason"] == "{{ slow }}"
    assert made["spec"]["automountServiceAccountToken"] is True


def test_work_that_is_done_needs_no_pod_and_leaves_none(world: World, step: PodStep) -> None:
    context = Context()
    record(world, step, context, active="blue")
    ended_well = SimpleNamespace(status=SimpleNamespace(phase="Succeeded"), metadata=SimpleNamespace(name="old"))
    deleted: list[str] = []
    step.client = SimpleNamespace(list_namespaced_pod=lambda *_, **__: SimpleNamespace(items=[ended_well]))
    step.pod_manager = SimpleNamespace(delete_pod=lambda pod: deleted.append(pod.metadata.name))

    step.execute(context)

    key = work_of(step.step, step.inputs, context, world.settings).key
    assert context.pushed == {"active": "blue", "manifest_key": key}
    assert deleted == ["old"]


def test_a_pod_is_found_by_the_key_of_its_work(world: World, step: PodStep) -> None:
    context = Context()
    key = work_of(step.step, step.inputs, context, world.settings).key

    assert step._build_find_pod_label_selector(context) == f"ratchet.dev/key={key[:40]}"


def test_a_manifest_is_believed_before_an_exit_code(world: World, step: PodStep) -> None:
    context = Context()
    record(world, step, context, active="green")
    step._ended = ended(1)

    step._conclude(context, world.settings, work_of(step.step, step.inputs, context, world.settings), problem="failed")

    assert context.pushed["active"] == "green"


@pytest.mark.parametrize(
    ("pod", "kind", "said"),
    [
        (ended(0), AirflowException, "wrote no manifest"),
        (ended(65), AirflowFailException, "the row is wrong"),
        (ended(75), AirflowException, "a retry may help"),
        (ended(99), AirflowSkipException, "nothing to do"),
        (ended(137, reason="Evicted", message="disk"), AirflowException, "Evicted"),
        (None, AirflowException, "its pod is gone"),
    ],
)
def test_without_a_manifest_the_pods_end_decides(
    world: World, step: PodStep, pod: dict[str, Any] | None, kind: type[Exception], said: str
) -> None:
    context = Context()
    work = work_of(step.step, step.inputs, context, world.settings)
    told = ErrorRecord(
        step="rollback",
        key=work.key,
        error="TerminalError",
        message="the row is wrong",
        exit_code=65,
        traceback=None,
        at=datetime.now(UTC),
    )
    manifests.write_error(world.store, told)
    step._ended = pod

    with pytest.raises(AirflowException, match=said) as raised:
        step._conclude(context, world.settings, work, problem="")

    assert type(raised.value) is kind


def test_no_credentials_of_the_cluster_go_into_airflows_database(
    step: PodStep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "kubeconfig").write_text("users: [{name: admin, user: {token: secret}}]")

    step.convert_config_file_to_dict()

    assert step._config_dict is None


def test_a_refusal_repeats_the_clusters_own_words_and_names_the_role() -> None:
    error = ApiException(status=403, reason="Forbidden")
    error.body = json.dumps({"message": 'pods is forbidden: User "mia" cannot create resource "pods"'})

    refused = _refused(error)

    assert isinstance(refused, AirflowFailException)
    assert 'cannot create resource "pods"' in str(refused)
    assert "ratchet-launcher" in str(refused)
    assert str(refused).endswith("`ratchet explain CLUSTER_REFUSED`")


def test_a_full_namespace_is_no_missing_permission() -> None:
    error = ApiException(status=403, reason="Forbidden")
    error.body = json.dumps({"message": "pods is forbidden: exceeded quota: ratchet, requested: requests.cpu=8"})

    refused = _refused(error)

    assert type(refused) is AirflowException  # tried again
    assert "exceeded quota: ratchet" in str(refused)
    assert str(refused).endswith("`ratchet explain POD_UNSCHEDULABLE`")


@pytest.mark.parametrize("chosen", ["kubeconfig", "in_cluster"])
def test_the_triggerer_goes_the_same_way_to_the_cluster(
    step: PodStep, chosen: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trigger = SimpleNamespace(connection_extras=None, in_cluster=None)
    monkeypatch.setattr("ratchet.orchestration.pod_step.IN_CLUSTER_TOKEN", tmp_path / "token")
    (tmp_path / "token").touch()
    step.config_file = "/home/mia/config" if chosen == "kubeconfig" else None

    with pytest.raises(TaskDeferred):
        step.defer(trigger=trigger, method_name="trigger_reentry")

    told = (trigger.connection_extras, trigger.in_cluster)
    assert told == (({"kube_config_path": "/home/mia/config"}, None) if chosen == "kubeconfig" else (None, True))


def test_a_queue_may_hold_a_pod_as_long_as_the_step_itself_may_take(world: World) -> None:
    queued = PodStep(
        task_id="t", line="support", step="rollback", inputs={}, pod_resources=PodResources(queue="training")
    )

    assert queued.schedule_timeout_seconds == 24 * 3600
