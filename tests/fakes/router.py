"""A router in memory, held to the same tests as EnvoyRouter (tests/unit/clients/test_router.py)."""

from ratchet.clients.router import MovedMeanwhile, Traffic
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState


class FakeRouter:
    def __init__(self, state: RouterState | None = None, url: str = "http://127.0.0.1:9") -> None:
        self.state = state
        self.base_url = url

    def read(self) -> RouterState | None:
        return self.state

    def write(self, state: RouterState, instead_of: RouterState | None) -> None:
        if self.state != instead_of:
            raise MovedMeanwhile("somebody else wrote")
        self.state = state

    def url(self) -> str:
        return self.base_url

    def why_no_canary(self) -> str | None:
        return None

    def traffic(self, colour: Colour) -> Traffic | None:
        return None
