"""Which colour has the users."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ratchet.clients.edge_counts import NoEdge, edge_counts
from ratchet.clients.files import replace_file
from ratchet.clients.http import http_client
from ratchet.clients.routes import HEALTH_PATH, ROUTES_FILE, VERSION_HEADER, routes, state_of, version_of
from ratchet.clients.settings import Ports
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.log import log
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState

TAKEN_TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.002


@dataclass(frozen=True)
class Traffic:
    """Users' requests that a colour has ended since the edge was started."""

    num_requests: int
    num_failed: int

    def since(self, before: "Traffic") -> "Traffic":
        """An edge that was restarted meanwhile counts from nothing."""
        if self.num_requests < before.num_requests:
            return self
        return Traffic(self.num_requests - before.num_requests, self.num_failed - before.num_failed)


class BrokenRoutes(TerminalError, ValueError):
    """The route file is not what `EnvoyRouter.write` writes."""

    code = "SERVE_STATE_BROKEN"


class EdgeLags(TransientError, TimeoutError):
    """The edge answers, but with an older state."""

    code = "EDGE_LAGS"


class MovedMeanwhile(TransientError, RuntimeError):
    """Somebody else wrote since the caller read: of two writers one wins, and the other looks again."""

    code = "MOVED_MEANWHILE"


class Router(Protocol):
    """The edge in front of both colours, and the one record of what it is meant to do."""

    def read(self) -> RouterState | None:
        """The state in force; None before the first write."""
        ...

    def write(self, state: RouterState, instead_of: RouterState | None) -> None:
        """Make `state` the state in force, atomically; returns once the edge answers with it.

        Raises MovedMeanwhile, and changes nothing, unless `instead_of` is what is in force.

        An edge that is down does not hinder: it comes back with the new state.
        """
        ...

    def url(self) -> str:
        """Base URL where users ask, without /v1."""
        ...

    def why_no_canary(self) -> str | None:
        """Why requests cannot be shared between the colours; None when they can."""
        ...

    def traffic(self, colour: Colour) -> Traffic | None:
        """What users asked of `colour` so far; None when nobody counts."""
        ...


class EnvoyRouter:
    """Envoy, told by one route file in a folder that it watches. The state is part of that file."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.path = folder / ROUTES_FILE
        self.ports = ports

    def read(self) -> RouterState | None:
        try:
            return state_of(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise BrokenRoutes(
                f"{self.path}: expected the route file that Ratchet writes, got {error!r}; "
                "put the file back from a copy, or delete it: `ratchet up` then sends users to what the ledger says"
            ) from error

    def write(self, state: RouterState, instead_of: RouterState | None) -> None:
        with _alone(self.path.parent):
            if self.read() != instead_of:
                raise MovedMeanwhile(f"{self.path} was changed by somebody else meanwhile; look again, then run again")
            replace_file(self.path, routes(state))
        started = time.monotonic()
        version = version_of(state)
        while (answered := self._version_in_force()) != version:
            if answered is None:
                log.warning("the edge is down: it starts with the new state", extra={"active": state.active})
                return
            if time.monotonic() - started > TAKEN_TIMEOUT_SECONDS:
                raise EdgeLags(
                    f"{self.url()} still answers with state {answered}, expected {version}, "
                    f"{TAKEN_TIMEOUT_SECONDS:.0f} s after {self.path} was written; see Envoy's log"
                )
            time.sleep(POLL_SECONDS)
        log.info("the edge took the state", extra={"active": state.active, "seconds": time.monotonic() - started})

    def write_anew(self) -> None:
        """The same state in the words of this version; before the first state, the file that says so."""
        with _alone(self.path.parent):
            replace_file(self.path, routes(self.read()))

    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.edge}"

    def why_no_canary(self) -> str | None:
        return None

    def traffic(self, colour: Colour) -> Traffic | None:
        # Refused; answered by the other colour, since this one was not reached; cut while it was answered.
        failures = ("upstream_rq_5xx", "upstream_rq_retry", "upstream_rq_rx_reset")
        try:
            found = edge_counts(self.ports, colour, ("upstream_rq_completed", *failures))
        except NoEdge:
            return None
        if "upstream_rq_completed" not in found:
            return None
        failed = sum(found.get(name, 0) for name in failures)
        return Traffic(found["upstream_rq_completed"] + found.get("upstream_rq_rx_reset", 0), failed)

    def _version_in_force(self) -> str | None:
        """None when the edge is down. One worker thread (local/edge.py) makes one answer speak for all."""
        import httpx

        try:
            response = http_client().get(f"{self.url()}{HEALTH_PATH}", timeout=TAKEN_TIMEOUT_SECONDS)
        except httpx.TransportError:
            return None
        return str(response.headers.get(VERSION_HEADER, "none"))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time; the lock goes with its process."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
