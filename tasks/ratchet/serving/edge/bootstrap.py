"""What Envoy starts from, on a laptop and in a pod: one listener for users, and what is done with each request."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ratchet.clients.settings import EdgeSettings
from ratchet.serving.edge.access_log import access_log
from ratchet.serving.edge.envoy import extension, typed
from ratchet.serving.edge.filters import http_filters
from ratchet.serving.edge.replies import local_replies


def envoy(python: Path, config: Path) -> list[str]:
    """Envoy as the environment of `python` has it."""
    return [
        str(python.parent / "envoy"),
        *("-c", str(config)),
        # One worker: when it answers with a new route, there is none that still has the old one, and its counts of
        # tokens are all there are. It carries far more than two engines on one machine can answer.
        *("--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "warning"),
        # Without a dozen lines, at each change of a key, on how young the filter for keys is (docs/edge.md says it).
        *("--component-log-level", "misc:error"),
        *("--file-flush-interval-msec", "1000"),
    ]


def bootstrap(
    users: dict[str, Any],
    admin: dict[str, Any],
    connections: dict[str, Any],
    clusters: list[dict[str, Any]],
    listeners: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """A listener at `users` beside these `listeners`, and Envoy's own page at `admin`."""
    listener = {"name": "users", "address": users, "filter_chains": [{"filters": [connections]}]}
    return {
        "node": {"id": "edge", "cluster": "ratchet"},  # Envoy reads no route file without a name of its own
        "admin": {"address": admin},
        "static_resources": {"listeners": [listener, *listeners], "clusters": clusters},
    }


def connections(
    edge: EdgeSettings,
    keys: Path,
    routes: dict[str, Any],
    spans: dict[str, Any],
    access_logs: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """What is done with each request.

    `keys`: the file that `write_keys` writes; `spans`: of `request_spans`; `access_logs`: beside stdout's.
    """
    return extension(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="users",
        stream_idle_timeout="300s",
        # A client's own x-request-id is passed on; who sends none gets one.
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        access_log=[access_log(), *access_logs],
        local_reply_config=local_replies(edge),
        http_filters=http_filters(edge, keys),
        **routes,
        **spans,
    )


def upstream(name: str, discovery: str, where: dict[str, Any]) -> dict[str, Any]:
    """A cluster, in Envoy's sense: engines that answer alike. `discovery` is STATIC or STRICT_DNS."""
    return {
        "name": name,
        "type": discovery,
        # Answers differ in length by orders of magnitude: the replica with the fewest under way is the next.
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "upstreams.http.v3.HttpProtocolOptions",
                explicit_http_config={"http_protocol_options": {}},
                # Shorter than the engine's keep-alive (serving/command.py): a connection that the engine closes just as
                # a request is sent on it would be a failed request.
                common_http_protocol_options={"idle_timeout": "30s"},
            )
        },
    }


def address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
