"""What Envoy starts from: one listener for users, one cluster per colour, routes and keys from watched files."""

import json
from typing import Any

from ratchet.clients.engine import COLOURS
from ratchet.clients.files import replace_file
from ratchet.clients.router import ROUTES_FILE, ROUTES_NAME, EnvoyRouter, fallback_of
from ratchet.clients.settings import Settings
from ratchet.core.releases import Colour
from ratchet.core.rollout import other
from ratchet.local.edge.access_log import access_log
from ratchet.local.edge.envoy import extension, typed, watched
from ratchet.local.edge.filters import http_filters
from ratchet.local.edge.keys import write_keys
from ratchet.local.edge.replies import local_replies

LOOPBACK = "127.0.0.1"


def command(settings: Settings) -> list[str]:
    return [
        str(settings.python("ops").parent / "envoy"),
        *("-c", str(settings.state / "router" / "envoy.json")),
        # One worker: when it answers with a new route, there is none that still has the old one, and its counts of
        # tokens are all there are. It carries far more than two engines on one machine can answer.
        *("--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "warning"),
        # Without a dozen lines, at each change of a key, on how young the filter for keys is (docs/edge.md says it).
        *("--component-log-level", "misc:error"),
        *("--file-flush-interval-msec", "1000"),
    ]


def write(settings: Settings) -> None:
    """Write what Envoy starts from; the state in force stays as it is. Raises BrokenRoutes, BrokenKeys."""
    folder = settings.state / "router"
    replace_file(folder / "envoy.json", json.dumps(bootstrap_config(settings), indent=1).encode())
    # Envoy does not start on a watch for a file that is not there.
    EnvoyRouter(folder, settings.ports).write_anew()
    write_keys(settings)


def bootstrap_config(settings: Settings) -> dict[str, Any]:
    ports = settings.ports
    return {
        "node": {"id": "edge", "cluster": "ratchet"},  # Envoy reads no route file without a name of its own
        "admin": {"address": _address(ports.edge_admin)},
        "static_resources": {
            "listeners": [
                {
                    "name": "users",
                    "address": _address(ports.edge),
                    "filter_chains": [{"filters": [_http_connection_manager(settings)]}],
                }
            ],
            "clusters": [
                *(_cluster(colour, port) for colour, port in (("blue", ports.blue), ("green", ports.green))),
                *(_with_fallback(colour) for colour in COLOURS),
            ],
        },
    }


def _http_connection_manager(settings: Settings) -> dict[str, Any]:
    folder = settings.state / "router"
    return extension(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="users",
        stream_idle_timeout="300s",
        # A client's own x-request-id is passed on; who sends none gets one.
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        access_log=[access_log()],
        local_reply_config=local_replies(settings.edge),
        rds={"route_config_name": ROUTES_NAME, "config_source": watched(folder / ROUTES_FILE)},
        http_filters=http_filters(settings),
    )


def _with_fallback(colour: Colour) -> dict[str, Any]:
    """A canary's requests go to the other colour while its own cannot be connected to."""
    return {
        "name": fallback_of(colour),
        "connect_timeout": "1s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": extension(
            "envoy.clusters.aggregate", "clusters.aggregate.v3.ClusterConfig", clusters=[colour, other(colour)]
        ),
    }


def _cluster(colour: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": colour,
        "type": "STATIC",
        # Answers differ in length by orders of magnitude: the replica with the fewest under way is the next.
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": colour, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "upstreams.http.v3.HttpProtocolOptions",
                explicit_http_config={"http_protocol_options": {}},
                # Shorter than the engine's keep-alive (local/vllm.py): a connection that the engine closes just as a
                # request is sent on it would be a failed request.
                common_http_protocol_options={"idle_timeout": "30s"},
            )
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}
