"""What Envoy in the edge's pod starts from. Traffic moves behind it, by the Service's selector: it knows no colours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.clients.routes import (
    FEEDBACK_CLUSTER,
    HEALTH_PATH,
    RETRIED,
    ROUTES_NAME,
    STREAMED,
    USER_PATHS,
    WITHOUT_KEY,
    feedback_route,
    matching,
)
from ratchet.clients.settings import Settings
from ratchet.serving.edge.bootstrap import address, bootstrap, connections, upstream
from ratchet.serving.edge.counts import ADMIN, counts_listener, request_counter
from ratchet.serving.edge.keys import KEYS_FILE
from ratchet.serving.edge.spans import collector, request_spans

UPSTREAM = "users"


@dataclass(frozen=True)
class Place:
    """HOST:PORT."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        host, _, port = text.rpartition(":")
        return cls(host, int(port))

    @property
    def address(self) -> dict[str, Any]:
        return address(self.host, self.port)


@dataclass(frozen=True)
class Places:
    """Where users ask, where Envoy's own page is, and where the users' Service. What is None is left out.

    `counts`: where others read what is counted. `feedback`: the service that takes it.
    """

    users: Place
    admin: Place
    upstream: Place
    counts: Place | None = None
    feedback: Place | None = None


def pod_config(settings: Settings, folder: Path, places: Places) -> dict[str, Any]:
    """`folder` has the file of keys."""
    spans = request_spans(settings.traces, settings.recipe)
    counters = [request_counter()] if places.counts else []
    return bootstrap(
        users=places.users.address,
        admin=places.admin.address,
        connections=connections(settings.edge, folder / KEYS_FILE, _routes(places), spans, counters),
        clusters=[*_clusters(places), *collector(settings.traces)],
        listeners=[counts_listener(places.counts.address)] if places.counts else [],
    )


def _routes(places: Places) -> dict[str, Any]:
    to_service = {"cluster": UPSTREAM, **STREAMED, "retry_policy": RETRIED}
    health = {
        "match": {"path": HEALTH_PATH},
        "direct_response": {"status": 200},
        "typed_per_filter_config": WITHOUT_KEY,
    }
    routes = [
        health,
        *({**matching(path), "route": to_service} for path in USER_PATHS),
        *([feedback_route()] if places.feedback else []),
    ]
    host = {"name": ROUTES_NAME, "domains": ["*"], "routes": routes}
    return {"route_config": {"name": ROUTES_NAME, "virtual_hosts": [host]}}


def _clusters(places: Places) -> list[dict[str, Any]]:
    return [
        upstream(UPSTREAM, "STRICT_DNS", places.upstream.address),
        *([upstream(ADMIN, "STATIC", places.admin.address)] if places.counts else []),
        *([upstream(FEEDBACK_CLUSTER, "STRICT_DNS", places.feedback.address)] if places.feedback else []),
    ]
