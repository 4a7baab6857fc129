"""The inference engines behind the router. STUB PROTOCOL: the owner of this file writes SupervisedVllm."""

from typing import Protocol

from ratchet.core.contract import Contract
from ratchet.core.refs import FolderRef
from ratchet.core.releases import Colour


class LoadedModel(Contract):
    release_id: str
    model: FolderRef


class Engine(Protocol):
    """Intended state per colour; whoever runs the engines (supervisor, Kubernetes) makes it so."""

    def loaded(self, colour: Colour) -> LoadedModel | None:
        """What the colour is meant to serve."""
        ...

    def load(self, colour: Colour, model: LoadedModel) -> None:
        """Drain the colour, then start it with `model`; returns before it is ready. Does nothing if it is there already."""
        ...

    def unload(self, colour: Colour) -> None:
        """Drain and stop."""
        ...

    def url(self, colour: Colour) -> str:
        """Base URL of the colour's OpenAI-compatible API, without /v1."""
        ...

    def failure(self, colour: Colour) -> str | None:
        """Why the colour's process ended, from its log; None while it runs or is starting."""
        ...
