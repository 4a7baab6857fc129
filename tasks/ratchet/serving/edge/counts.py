"""What a pod's Envoy counts of users' requests, and the one page of its own that it shows to others.

envoy_ratchet_requests{colour="blue",release="support-1",status="200",flags="-"} 90
envoy_ratchet_requests{colour="",release="",status="503",flags="UF"} 2     no engine answered
"""

import re
from typing import Any

from ratchet.clients.openai import COLOUR_HEADER, RELEASE_HEADER
from ratchet.clients.routes import USER_PATHS
from ratchet.serving.edge.envoy import extension

PATH = "/stats/prometheus"
COUNTER = "envoy_ratchet_requests"
ADMIN = "admin"
# Envoy forgets no counter: a pod that has seen a hundred releases still counts, and no answer can fill its memory.
MAX_COUNTERS = 2000
MAX_LENGTH = 128
# Envoy's words for an answer that began as a good one and was not ended by its client: the engine or its node went
# away, what came was no whole answer, or nothing came any more.
CUT_FLAGS = frozenset({"UC", "UR", "UPE", "UT", "LR", "SI"})
TAGS = {
    "colour": f"%RESP({COLOUR_HEADER}):{MAX_LENGTH}%",
    "release": f"%RESP({RELEASE_HEADER}):{MAX_LENGTH}%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
}


def request_counter() -> dict[str, Any]:
    """Counts by what the answer says of itself: behind a Service's selector Envoy does not know the colours."""
    tags = [{"name": name, "value_format": value} for name, value in TAGS.items()]
    counter = extension(
        "request counter",
        "access_loggers.stats.v3.Config",
        stats_scope={"prefix": "ratchet", "max_counters": MAX_COUNTERS},
        counters=[{"stat": {"name": "requests", "tags": tags}, "value_fixed": 1}],
    )
    asked = rf"({'|'.join(map(re.escape, USER_PATHS))})(\?.*)?"
    path = {"name": ":path", "string_match": {"safe_regex": {"regex": asked}}}
    return {**counter, "filter": {"header_filter": {"header": path}}}


def counts_listener(where: dict[str, Any]) -> dict[str, Any]:
    """GET of that page at `where`. Who reaches Envoy's other pages may stop it, or read its keys."""
    is_get = {"name": ":method", "string_match": {"exact": "GET"}}
    page = {"match": {"path": PATH, "headers": [is_get]}, "route": {"cluster": ADMIN}}
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="counts",
        http_filters=[extension("envoy.filters.http.router", "filters.http.router.v3.Router")],
        route_config={"name": "counts", "virtual_hosts": [{"name": "counts", "domains": ["*"], "routes": [page]}]},
    )
    return {"name": "counts", "address": where, "filter_chains": [{"filters": [manager]}]}


def code_of(status: str, flags: str) -> str:
    """0xx: the client left before it was answered."""
    if status.startswith("2") and CUT_FLAGS.intersection(flags.split(",")):
        return "cut"
    return f"{status[0]}xx"
