"""One HTTP client for all calls to this machine's services: making one costs 40 ms, more than most answers take."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


@cache
def http_client() -> "httpx.Client":
    """Proxies of the environment are not for loopback. Give each call its timeout.

    No bound on connections: a request that waits for one in here would look like a slow answer.
    """
    import httpx

    unbounded = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.Client(trust_env=False, limits=unbounded)
