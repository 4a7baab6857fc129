"""The Kubernetes API as plain JSON: read, list and patch, with its refusals in our kinds of error."""

import json
from functools import cached_property
from typing import Any

from ratchet.clients.settings import KubernetesSettings
from ratchet.core.errors import TerminalError, TransientError

TIMEOUT_SECONDS = (5.0, 20.0)  # connect, read
_CONFLICT, _ABSENT = 409, 404


class ClusterAway(TransientError, ConnectionError):
    """The API server does not answer, or answers that it cannot."""

    code = "CLUSTER_AWAY"


class ClusterRefused(TerminalError, PermissionError):
    """The API server does not allow it, or does not understand it."""

    code = "CLUSTER_REFUSED"


class NoCluster(TerminalError, LookupError):
    """Nothing says where the cluster is."""

    code = "CLUSTER_REFUSED"


class Conflict(TransientError, RuntimeError):
    """Somebody else changed the object since it was read."""

    code = "MOVED_MEANWHILE"


class Absent(TerminalError, LookupError):
    """There is no such object."""

    code = "CLUSTER_REFUSED"


def object_name(line: str) -> str:
    """A line's name as Kubernetes takes it; helm/serving is installed under it."""
    return line.replace("_", "-")


class Cluster:
    """`namespace` scopes every path."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self.settings = settings

    def read(self, group: str, kind: str, name: str) -> dict[str, Any]:
        """One object; `group` is "api/v1", "apis/apps/v1", …, `kind` the plural of the path. Raises Absent."""
        return dict(self._call("GET", self._path(group, kind, name)))

    def find(self, group: str, kind: str, labels: str) -> list[dict[str, Any]]:
        found = self._call("GET", self._path(group, kind), query=[("labelSelector", labels)])
        return list(found["items"])

    def patch(self, group: str, kind: str, name: str, change: dict[str, Any]) -> dict[str, Any]:
        """Merge `change` into the object; with a `metadata.resourceVersion`, raises Conflict unless it is as read."""
        return dict(self._call("PATCH", self._path(group, kind, name), change))

    def log(self, pod: str, container: str, num_lines: int) -> str:
        path = self._path("api/v1", "pods", pod) + "/log"
        return str(self._call("GET", path, query=[("container", container), ("tailLines", num_lines)], text=True))

    def _path(self, group: str, kind: str, name: str = "") -> str:
        return f"/{group}/namespaces/{self.settings.namespace}/{kind}/{name}".rstrip("/")

    def _call(
        self, method: str, path: str, body: Any = None, query: list[tuple[str, Any]] | None = None, text: bool = False
    ) -> Any:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json, */*", "Content-Type": "application/merge-patch+json"}
        try:
            answer = self._api.call_api(
                path,
                method,
                query_params=query or [],
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=TIMEOUT_SECONDS,
            )
        except ApiException as error:
            raise _kind(method, path, error) from error
        except (HTTPError, OSError) as error:
            raise ClusterAway(f"the cluster does not answer {method} {path}: {error}; run again") from error
        return answer.data.decode("utf-8", "replace") if text else json.loads(answer.data)

    @cached_property
    def _api(self) -> Any:
        from kubernetes import client, config

        chosen = self.settings.kubeconfig
        try:
            if chosen and chosen.is_file():
                return config.new_client_from_config(config_file=str(chosen), context=self.settings.context)
            try:
                config.load_incluster_config()
                return client.ApiClient()
            except config.ConfigException:
                return config.new_client_from_config(context=self.settings.context)
        except config.ConfigException as error:
            raise NoCluster(
                f"no way to the cluster: {error}; set KUBECONFIG, or kubeconfig under [kubernetes] in ratchet.toml"
            ) from error


def _kind(method: str, path: str, error: Any) -> TerminalError | TransientError:
    try:
        said = str(json.loads(error.body)["message"])
    except (ValueError, KeyError, TypeError):
        said = str(error.reason)
    if error.status == _CONFLICT:
        return Conflict(f"{path} was changed by somebody else meanwhile: {said}; look again, then run again")
    if error.status == _ABSENT:
        return Absent(f"the cluster has no {path}: {said}; is chart helm/serving installed under the recipe's name?")
    if error.status in (401, 403):
        return ClusterRefused(f"the cluster refuses {method} {path}: {said}; bind the role that the chart made")
    if error.status == 429 or error.status >= 500:
        return ClusterAway(f"the cluster answers {error.status} to {method} {path}: {said}; run again")
    return ClusterRefused(f"the cluster does not take {method} {path}: {said}")
