"""MLflow: runs, versions and aliases for people and tools. It mirrors the ledger and never decides anything.

MLflow 3 is imported late: it costs seconds, and only two images have it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from pydantic import NonNegativeInt

from ratchet.core.contract import Contract
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.log import log
from ratchet.core.refs import FolderRef
from ratchet.core.releases import LedgerEvent, previous_production, production

KEY_TAG = "ratchet.key"
MODEL_TAG = "ratchet.model_sha256"
PRODUCTION = "production"
PREVIOUS = "previous"
_OUTAGE = frozenset({"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "IO_ERROR"})
# An outage must be noticed in seconds; MLflow's own defaults wait for minutes.
_ENVIRONMENT = {
    # It knows no other word for DO_NOT_TRACK than "true", and its telemetry races with others over the environment.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
# MLflow's limits for one log_batch call.
_MAX_BATCH_METRICS = 1000
_MAX_BATCH_PARAMS = 100


class MetricRecord(Contract):
    """What was measured at one step of training; `at_ms` is Unix time in milliseconds.

    {"step": 25, "at_ms": 1767582000120, "metrics": {"loss": 0.71, "tokens_per_second": 1980.0}}
    """

    step: NonNegativeInt
    at_ms: NonNegativeInt
    metrics: dict[str, float]


class Registry(Protocol):
    """Every call may be repeated: the second one changes nothing.

    All raise RegistryUnavailable when the server is away and RegistryRefused when it says no.
    """

    def open_run(self, line: str, key: str, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """The id of the one run that carries `key`, made or found, in the experiment named after the line; running."""
        ...

    def log_metrics(self, run_id: str, records: Sequence[MetricRecord]) -> None: ...

    def finish_run(self, run_id: str) -> None: ...

    def register(self, line: str, model: FolderRef, tags: Mapping[str, str], run_id: str | None = None) -> str:
        """The version of the line's registered model that has exactly these bytes; the bytes stay in the store."""
        ...

    def set_aliases(self, line: str, production_sha256: str, previous_sha256: str | None) -> None:
        """Point `production` and `previous` at registered versions; no previous takes that alias away."""
        ...

    def aliases(self, line: str) -> dict[str, str]:
        """Alias to model digest; empty when the line is not registered yet."""
        ...


class RegistryUnavailable(TransientError, ConnectionError):
    """The tracking server does not answer, or lost what it had confirmed."""

    code = "REGISTRY_AWAY"


class RegistryRefused(TerminalError, ValueError):
    """The tracking server answered no."""

    code = "REGISTRY_REFUSED"


def follow_ledger(registry: Registry, line: str, events: Sequence[LedgerEvent]) -> bool:
    """Make versions and aliases say what the ledger says; False when the registry would not, which blocks nothing."""
    live, previous = production(events), previous_production(events)
    if live is None:
        return True
    try:
        for release in filter(None, (live, previous)):
            tags = {"release_id": release.release_id, "dataset_sha256": release.dataset_sha256 or ""}
            if release.parts:  # served so, in the adapter lane
                tags |= {"adapter_sha256": release.parts.adapter.sha256, "base_sha256": release.parts.base.sha256}
            registry.register(line, release.model, {f"ratchet.{name}": value for name, value in tags.items() if value})
        registry.set_aliases(line, live.model.sha256, previous.model.sha256 if previous else None)
    except Exception as error:  # whatever goes wrong in a mirror must not fail what it mirrors
        log.warning("the registry's aliases stay behind the ledger until the next release", extra={"error": str(error)})
        return False
    return True


class MlflowRegistry:
    def __init__(self, url: str) -> None:
        self.url = url
        self._made: Any = None

    def open_run(self, line: str, key: str, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        with self._answers(f"open a run of {line}"):
            experiment_id = self._experiment(line)
            found = self._client.search_runs([experiment_id], f"tags.`{KEY_TAG}` = '{key}'", order_by=["created ASC"])
            run = found[0] if found else self._client.create_run(experiment_id, tags={KEY_TAG: key, **tags})
            run_id: str = run.info.run_id
            if run.info.status != "RUNNING":
                self._client.update_run(run_id, status="RUNNING")
            self._log_params(run_id, params)
            return run_id

    def log_metrics(self, run_id: str, records: Sequence[MetricRecord]) -> None:
        with self._answers(f"log metrics of run {run_id}"):
            from mlflow.entities import Metric

            # The server keeps one row per name, time, step and value, so that a repeated batch adds nothing.
            metrics = [
                Metric(name, value, record.at_ms, record.step)
                for record in records
                for name, value in record.metrics.items()
            ]
            for batch in _batches(metrics, _MAX_BATCH_METRICS):
                self._client.log_batch(run_id, metrics=batch)

    def finish_run(self, run_id: str) -> None:
        with self._answers(f"finish run {run_id}"):
            self._client.set_terminated(run_id)

    def register(self, line: str, model: FolderRef, tags: Mapping[str, str], run_id: str | None = None) -> str:
        with self._answers(f"register model {model.sha256[:12]} of {line}"):
            self._registered_model(line)
            if found := self._version(line, model.sha256):
                return found
            self._client.create_model_version(
                line, source=model.uri, run_id=run_id, tags={MODEL_TAG: model.sha256, **tags}, await_creation_for=0
            )
            if found := self._version(line, model.sha256):
                return found
        raise RegistryUnavailable(f"{self.url} confirmed model {model.sha256[:12]} of {line}, but does not have it")

    def set_aliases(self, line: str, production_sha256: str, previous_sha256: str | None) -> None:
        wanted = {PRODUCTION: production_sha256} | ({PREVIOUS: previous_sha256} if previous_sha256 else {})
        with self._answers(f"set the aliases of {line}"):
            current = self._aliases(line)
            for alias, sha256 in wanted.items():
                if current.get(alias) != sha256:
                    self._client.set_registered_model_alias(line, alias, self._expect_version(line, sha256))
            if PREVIOUS in current and PREVIOUS not in wanted:
                self._client.delete_registered_model_alias(line, PREVIOUS)
            current = self._aliases(line)
        if current != wanted:
            raise RegistryUnavailable(f"{self.url} confirmed aliases {wanted} of {line}, but has {current}")

    def aliases(self, line: str) -> dict[str, str]:
        with self._answers(f"read the aliases of {line}"):
            return self._aliases(line)

    def _aliases(self, line: str) -> dict[str, str]:
        found = self._client.search_registered_models(f"name = '{line}'")
        versions = {str(v.version): v.tags.get(MODEL_TAG, "") for v in self._versions(line)} if found else {}
        return {alias: versions.get(str(version), "") for model in found for alias, version in model.aliases.items()}

    def _versions(self, line: str) -> list[Any]:
        """Oldest first, so that of two versions with the same bytes the first one counts for everybody."""
        found, token = [], None
        while token != "":
            page = self._client.search_model_versions(f"name = '{line}'", max_results=1000, page_token=token)
            found += list(page)
            token = page.token or ""
        return sorted(found, key=lambda version: int(version.version))

    def _version(self, line: str, sha256: str) -> str | None:
        return next((str(v.version) for v in self._versions(line) if v.tags.get(MODEL_TAG) == sha256), None)

    def _expect_version(self, line: str, sha256: str) -> str:
        found = self._version(line, sha256)
        if found is None:
            raise RegistryRefused(f"{self.url} has no version of {line} with model {sha256[:12]}: register it first")
        return found

    def _experiment(self, line: str) -> str:
        def find() -> str | None:
            experiment = self._client.get_experiment_by_name(line)
            return experiment.experiment_id if experiment else None

        return find() or self._create(lambda: self._client.create_experiment(line)) or find() or ""

    def _registered_model(self, line: str) -> None:
        if not self._client.search_registered_models(f"name = '{line}'"):
            self._create(lambda: self._client.create_registered_model(line))

    def _create(self, create: Any) -> Any:
        """None when another process created it first."""
        from mlflow.exceptions import MlflowException

        try:
            return create()
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return None

    def _log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        for batch in _batches([Param(name, str(value)) for name, value in params.items()], _MAX_BATCH_PARAMS):
            self._client.log_batch(run_id, params=batch)

    @contextmanager
    def _answers(self, doing: str) -> Iterator[None]:
        """Tell a server that is away from a server that says no."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            kind = RegistryUnavailable if error.error_code in _OUTAGE else RegistryRefused
            raise kind(f"cannot {doing} at {self.url}: {error.message}") from error

    @property
    def _client(self) -> Any:
        if self._made is None:
            from mlflow import MlflowClient

            self._made = MlflowClient(tracking_uri=self.url, registry_uri=self.url)
        return self._made


def _batches(entries: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
