"""Envoy as the embedded platform's edge: one listener for users, one cluster per colour, routes from a watched file."""

import json
from typing import Any

from ratchet.clients.engine import COLOURS
from ratchet.clients.files import replace_file
from ratchet.clients.router import ROUTES_FILE, ROUTES_NAME, fallback_of, routes
from ratchet.clients.settings import Settings
from ratchet.core.releases import Colour
from ratchet.core.rollout import other

LOOPBACK = "127.0.0.1"


def command(settings: Settings) -> list[str]:
    return [
        str(settings.python("ops").parent / "envoy"),
        *("-c", str(settings.state / "router" / "envoy.json")),
        # One worker: when it answers with a new route, there is none that still has the old one. It carries far more
        # than two engines on one machine can answer.
        *("--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "warning"),
    ]


def write(settings: Settings) -> None:
    """Write what Envoy starts from; the state in force stays as it is."""
    folder = settings.state / "router"
    replace_file(folder / "envoy.json", json.dumps(bootstrap_config(settings), indent=1).encode())
    if not (folder / ROUTES_FILE).exists():  # Envoy does not start on a watch for a file that is not there
        replace_file(folder / ROUTES_FILE, routes(None))


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
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network."
            "http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "users",
            "stream_idle_timeout": "300s",
            "rds": {
                "route_config_name": ROUTES_NAME,
                "config_source": {
                    "resource_api_version": "V3",
                    "path_config_source": {
                        "path": str(folder / ROUTES_FILE),
                        # Watched for the rename that puts a new file in place.
                        "watched_directory": {"path": str(folder)},
                    },
                },
            },
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
                }
            ],
        },
    }


def _with_fallback(colour: Colour) -> dict[str, Any]:
    """A canary's requests go to the other colour while its own cannot be connected to."""
    return {
        "name": fallback_of(colour),
        "connect_timeout": "1s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": [colour, other(colour)],
            },
        },
    }


def _cluster(colour: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": colour,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": colour, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                # Shorter than the engine's keep-alive (local/vllm.py): a connection that the engine closes just as a
                # request is sent on it would be a failed request.
                "common_http_protocol_options": {"idle_timeout": "30s"},
            }
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}
