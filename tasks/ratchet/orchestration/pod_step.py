"""A step as a pod: deferred while it runs, found again by its key, judged by its manifest."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client import ApiClient, ApiException, V1Pod

from ratchet.clients.cluster import ClusterAway, ClusterRefused
from ratchet.clients.pod_status import Ending, ending
from ratchet.clients.settings import Settings, load
from ratchet.clients.world import World
from ratchet.core.failures import pointer
from ratchet.core.memo import Manifest
from ratchet.orchestration import pods
from ratchet.orchestration.operator import concluded, found, publish, told_to_airflow, work_of, xcom_of
from ratchet.orchestration.pods import CONTAINER, KEY_LABEL, TASK_LABEL, Origin, key_label, task_label
from ratchet.orchestration.runtime import Work
from ratchet.recipes.resources import PodResources

NOT_FOUND = 404
IN_CLUSTER_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
GONE_SECONDS = 30.0  # beyond a pod's own grace


class PodStep(KubernetesPodOperator):
    """Upstream's operator starts and watches the pod; what the pod's end means is decided here.

    Args:
        line, step, inputs, publishes: as in step_task.
        pod_resources: what the pod asks of the cluster.
    """

    # `inputs` first: fields are rendered in this order.
    template_fields: Sequence[str] = ("inputs", *KubernetesPodOperator.template_fields)
    ui_color = "#e8f0fe"
    # A token that expires every hour ends the watch every hour, and a long training goes on all the same.
    MAX_REDEFER_ATTEMPTS = 1000

    def __init__(
        self,
        *,
        line: str,
        step: str,
        inputs: dict[str, Any],
        pod_resources: PodResources,
        publishes: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        cluster = load().kubernetes
        super().__init__(
            kubernetes_conn_id=None,
            config_file=str(cluster.kubeconfig) if cluster.kubeconfig and cluster.kubeconfig.is_file() else None,
            cluster_context=cluster.context,
            namespace=cluster.namespace,
            base_container_name=CONTAINER,
            random_name_suffix=False,
            deferrable=True,
            durable=True,
            on_finish_action="delete_pod",  # its name must be free for the next attempt; its log is in Airflow
            log_pod_spec_on_failure=False,
            schedule_timeout_seconds=cluster.schedule_timeout_seconds,
            startup_timeout_seconds=cluster.start_timeout_seconds,
            logging_interval=cluster.log_interval_seconds,
            termination_grace_period=pod_resources.grace_seconds,
            **kwargs,
        )
        if pod_resources.queue:  # a queue may hold a pod for as long as the step itself may take
            self.schedule_timeout_seconds = int((self.execution_timeout or timedelta(days=1)).total_seconds())
        self.line = line
        self.step = step
        self.inputs = inputs
        self.pod_resources = pod_resources
        self.publishes = publishes
        self._ended: dict[str, Any] | None = None

    @told_to_airflow()
    def execute(self, context: Any) -> None:
        settings = load()
        store = World(settings, settings.scratch).store
        publish(store, self.publishes)
        work = work_of(self.step, self.inputs, context, settings)
        if manifest := found(settings, store, work, self.log.info):
            self._remove_what_an_attempt_left(work, settings)
            return _push(context, manifest)
        origin = self._origin(context)
        self.name = pods.pod_name(work)
        self.pod_template_dict = pods.pod(work, self.pod_resources, settings, origin)
        try:
            self._end_earlier_attempts(work, origin, settings)
            super().execute(context)  # raises TaskDeferred, unless the pod has ended already
        except ApiException as error:
            raise _refused(error) from error
        return self._conclude(context, settings, work, problem="")

    @told_to_airflow()
    def trigger_reentry(self, context: Any, event: dict[str, Any]) -> None:
        settings, problem = load(), ""
        try:
            super().trigger_reentry(context, event)  # raises TaskDeferred when the pod still runs
        except AirflowException as error:
            problem = str(error)
        except ApiException as error:
            raise _refused(error) from error
        self._conclude(context, settings, work_of(self.step, self.inputs, context, settings), problem)

    def cleanup(self, pod: V1Pod, remote_pod: V1Pod, *_: Any, **__: Any) -> None:  # noqa: ARG002 - upstream's signature
        """Remember how the pod ended, and free its name. Upstream's would raise what the exit code alone says."""
        if remote_pod is not None:
            self._ended = ApiClient().sanitize_for_serialization(remote_pod)
            if not self._killed:
                self.process_pod_deletion(remote_pod, reraise=False)

    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:  # type: ignore[override]
        """The triggerer takes the same way to the cluster; upstream's finds none by itself but KUBECONFIG."""
        if self.config_file:
            trigger.connection_extras = {"kube_config_path": self.config_file}
        elif IN_CLUSTER_TOKEN.is_file():
            trigger.in_cluster = True
        super().defer(trigger=trigger, **kwargs)

    def convert_config_file_to_dict(self) -> None:
        """The triggerer reads the cluster's credentials where they are: they are not to be in Airflow's database."""
        self._config_dict = None

    def _build_find_pod_label_selector(self, context: Any = None, *, exclude_checked: bool = True) -> str:  # noqa: ARG002
        settings = load()
        return f"{KEY_LABEL}={key_label(work_of(self.step, self.inputs, context, settings).key)}"

    def _end_earlier_attempts(self, work: Work, origin: Origin, settings: Settings) -> None:
        """A step that acts has a new key in each attempt; what a lost attempt left running must end first."""
        label = f"{TASK_LABEL}={task_label(origin, work.run_id)},{KEY_LABEL}!={key_label(work.key)}"
        for old in self.client.list_namespaced_pod(settings.kubernetes.namespace, label_selector=label).items:
            self.log.warning("an earlier attempt is still there: %s is told to stop", old.metadata.name)
            self.pod_manager.delete_pod(old)
            self._await_gone(old)

    def _remove_what_an_attempt_left(self, work: Work, settings: Settings) -> None:
        """Airflow may lose an attempt whose pod ended well: the next one finds the work done, and that pod there."""
        label = f"{KEY_LABEL}={key_label(work.key)}"
        try:
            for old in self.client.list_namespaced_pod(settings.kubernetes.namespace, label_selector=label).items:
                if old.status.phase in ("Succeeded", "Failed"):
                    self.pod_manager.delete_pod(old)
        except ApiException as error:
            self.log.warning("could not look for pods of earlier attempts: %s", _message(error))

    def _await_gone(self, old: V1Pod) -> None:
        deadline = time.monotonic() + self.pod_resources.grace_seconds + GONE_SECONDS
        while time.monotonic() < deadline:
            try:
                self.client.read_namespaced_pod(old.metadata.name, old.metadata.namespace)
            except ApiException as error:
                if error.status == NOT_FOUND:
                    return
                raise
            time.sleep(1.0)
        raise AirflowException(f"{old.metadata.name}, an earlier attempt, does not end; nothing new was started")

    def _conclude(self, context: Any, settings: Settings, work: Work, problem: str) -> None:
        store = World(settings, settings.scratch).store
        how = ending(self._ended, CONTAINER)
        if problem and not how.why and how.exit_code == 0:
            how = Ending(how.exit_code, problem)
        _push(context, concluded(store, work, how, _began(context), self.log.warning))

    def _origin(self, context: Any) -> Origin:
        task = context["ti"]
        limit = int(self.execution_timeout.total_seconds()) if self.execution_timeout else None
        return Origin(self.line, task.dag_id, task.task_id, getattr(task, "log_url", None) or "", limit)


def _began(context: Any) -> datetime:
    return context["ti"].start_date or datetime.now(UTC)


def _push(context: Any, manifest: Manifest) -> None:
    """Upstream's `do_xcom_push` means a sidecar container; the outputs are in the manifest."""
    for name, value in xcom_of(manifest).items():
        context["ti"].xcom_push(key=name, value=value)


def _refused(error: ApiException) -> AirflowException:
    """A permission that is missing is named by the API server itself: verb, resource, namespace and who asked."""
    kind, said, code = _read(error.status, _message(error))
    return kind(f"{said}\n{pointer(code)}")


def _read(status: int, message: str) -> tuple[type[AirflowException], str, str]:
    """What Airflow is to do, in which words, and the failure's code."""
    if status == 403 and "exceeded quota" in message:
        remedy = "A retry may help; else raise `quota` of helm/platform"
        return AirflowException, f"the namespace is full for now: {message}. {remedy}", "POD_UNSCHEDULABLE"
    if status == 403 and "PodSecurity" in message:
        return AirflowFailException, f"the namespace does not admit the pod: {message}", ClusterRefused.code
    if status in (401, 403):
        remedy = "Chart helm/platform has the role `ratchet-launcher`: bind it to whoever Airflow is on the cluster"
        return AirflowFailException, f"the cluster refuses: {message}. {remedy}", ClusterRefused.code
    if status in (404, 422, 400):
        return AirflowFailException, f"the cluster does not take the pod: {message}", ClusterRefused.code
    return AirflowException, f"the cluster's API answers {status}: {message}; a retry may help", ClusterAway.code


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
