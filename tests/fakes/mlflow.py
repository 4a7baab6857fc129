"""What MLflow's REST API answers about aliases; the same calls meet real MLflow in tests/steps/registry."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.web import Answering, listening

from ratchet.clients.registry import MODEL_TAG


@dataclass
class Registered:
    """One registered model: alias to model digest. A line that is not `known` is not registered."""

    aliases: dict[str, str] = field(default_factory=dict)
    known: bool = True

    def reply(self, path: str, asked: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if not self.known:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such registered model"}
        digests = sorted(set(self.aliases.values()))
        if path.endswith("/registered-models/get"):
            told = [{"alias": a, "version": str(digests.index(d) + 1)} for a, d in self.aliases.items()]
            return 200, {"registered_model": {"name": asked["name"][0], "aliases": told}}
        tag = {"key": MODEL_TAG, "value": digests[int(asked["version"][0]) - 1]}
        return 200, {"model_version": {"version": asked["version"][0], "tags": [tag]}}


@contextmanager
def answering(registered: Registered) -> Iterator[str]:
    class Handler(Answering):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            status, content = registered.reply(asked.path, parse_qs(asked.query))
            self.answer(status, json.dumps(content).encode())

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}"
