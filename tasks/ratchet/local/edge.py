"""Envoy as the embedded platform's edge: one cluster per colour, routes and keys from watched files."""

import json
from typing import Any

from ratchet.clients.edge_keys import with_own_key
from ratchet.clients.engine import COLOURS
from ratchet.clients.files import replace_file
from ratchet.clients.router import EnvoyRouter
from ratchet.clients.routes import FEEDBACK_CLUSTER, ROUTES_FILE, ROUTES_NAME, fallback_of
from ratchet.clients.settings import LOOPBACK, Settings
from ratchet.core.releases import Colour
from ratchet.core.rollout import other
from ratchet.serving.edge.bootstrap import address, bootstrap, connections, envoy, upstream
from ratchet.serving.edge.envoy import extension, watched
from ratchet.serving.edge.keys import KEYS_FILE, write_keys
from ratchet.serving.edge.spans import collector, request_spans
from ratchet.serving.feedback.inbox import inbox_of

# Envoy's default is 3 second tries at a time; the others would fail. As many as requests, which is 1024.
_EVERYBODY_MAY_TRY_AGAIN = {"thresholds": [{"priority": "DEFAULT", "max_retries": 1024}]}


def command(settings: Settings) -> list[str]:
    return envoy(settings.python("ops"), settings.state / "router" / "envoy.json")


def write(settings: Settings) -> None:
    """Write what Envoy starts from; the state in force stays as it is. Raises BrokenRoutes, BrokenKeys."""
    folder = settings.state / "router"
    replace_file(folder / "envoy.json", json.dumps(bootstrap_config(settings), indent=1).encode())
    # Envoy does not start on a watch for a file that is not there.
    EnvoyRouter(folder, settings.ports).write_anew()
    write_own_keys(settings)


def bootstrap_config(settings: Settings) -> dict[str, Any]:
    ports = settings.ports
    folder = settings.state / "router"
    routes = {"rds": {"route_config_name": ROUTES_NAME, "config_source": watched(folder / ROUTES_FILE)}}
    return bootstrap(
        users=address(LOOPBACK, ports.edge),
        admin=address(LOOPBACK, ports.edge_admin),
        connections=connections(
            settings.edge, folder / KEYS_FILE, routes, request_spans(settings.traces, settings.recipe)
        ),
        clusters=[
            *(
                upstream(name, "STATIC", address(LOOPBACK, port))
                for name, port in (("blue", ports.blue), ("green", ports.green))
            ),
            *(_with_fallback(colour) for colour in COLOURS),
            upstream(FEEDBACK_CLUSTER, "STATIC", {"pipe": {"path": str(inbox_of(settings).socket)}}),
            *collector(settings.traces),
        ],
    )


def write_own_keys(settings: Settings) -> None:
    """Tell this machine's edge who may ask. Raises BrokenKeys."""
    write_keys(settings.state / "router" / KEYS_FILE, with_own_key(settings))


def _with_fallback(colour: Colour) -> dict[str, Any]:
    """A canary's requests go to the other colour where its own cannot be connected to, or does not begin to answer."""
    return {
        "name": fallback_of(colour),
        "connect_timeout": "1s",
        "circuit_breakers": _EVERYBODY_MAY_TRY_AGAIN,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": extension(
            "envoy.clusters.aggregate", "clusters.aggregate.v3.ClusterConfig", clusters=[colour, other(colour)]
        ),
    }
