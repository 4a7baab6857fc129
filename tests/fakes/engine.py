"""Engines in memory, held to the same tests as SupervisedVllm (tests/unit/clients/test_engine.py)."""

from collections.abc import Mapping

from ratchet.clients.engine import LoadedModel
from ratchet.clients.probe import why_not_serving
from ratchet.core.releases import Colour


class FakeEngine:
    """`urls` says where each colour would answer; a colour in `died` has ended, with that as its log."""

    def __init__(self, urls: Mapping[Colour, str] | None = None) -> None:
        self.urls = dict(urls or {})
        self.held: dict[Colour, LoadedModel] = {}
        self.died: dict[Colour, str] = {}
        self.num_starts = 0
        self.unloaded: list[Colour] = []

    def loaded(self, colour: Colour) -> LoadedModel | None:
        return self.held.get(colour)

    def load(self, colour: Colour, model: LoadedModel) -> None:
        if self.held.get(colour) == model and colour not in self.died:
            return
        self.held[colour] = model
        self.died.pop(colour, None)
        self.num_starts += 1

    def unload(self, colour: Colour) -> None:
        self.held.pop(colour, None)
        self.unloaded.append(colour)

    def url(self, colour: Colour) -> str:
        return self.urls.get(colour, "http://127.0.0.1:9")

    def problem(self, colour: Colour, model_sha256: str) -> str | None:
        return why_not_serving(self.url(colour), model_sha256)

    def failure(self, colour: Colour) -> str | None:
        return self.died.get(colour) if colour in self.held else None
