"""A router in memory, held to the same tests as EnvoyRouter (tests/unit/clients/test_router.py)."""

from ratchet.core.rollout import RouterState


class FakeRouter:
    def __init__(self, state: RouterState | None = None, url: str = "http://127.0.0.1:9") -> None:
        self.state = state
        self.base_url = url

    def read(self) -> RouterState | None:
        return self.state

    def write(self, state: RouterState) -> None:
        self.state = state

    def url(self) -> str:
        return self.base_url
