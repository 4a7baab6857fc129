"""A world in which releases happen: a real store and ledger, engines that answer, and a way to die at any effect."""

import copy
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fakes.events import event, model, sha
from tests.fakes.faults import Faults
from tests.fakes.fuse import Fuse
from tests.fakes.registry import FakeRegistry
from tests.fakes.streams import Streams
from tests.fakes.web import Answering, listening

from ratchet.clients.bucket import LocalBucket, StoreAway
from ratchet.clients.engine import LoadedModel
from ratchet.clients.openai import RELEASE_HEADER
from ratchet.clients.probe import why_not_serving
from ratchet.clients.router import MovedMeanwhile, Traffic
from ratchet.clients.settings import Settings
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.releases import Colour, production
from ratchet.core.rollout import RouterState, first_state
from ratchet.rollback.contract import RollbackInputs

NOBODY = "http://127.0.0.1:9"
HUNG = "hung"
ANSWER = "label"  # what every engine says, but for those that are bad


class Bucket(LocalBucket):
    """Set `away` to make every call fail as an outage does."""

    def __init__(self, root: Path, fuse: Fuse) -> None:
        super().__init__(root)
        self.fuse = fuse
        self.away = False

    def create(self, key: str, source: Path) -> bool:
        self._answer()
        return bool(self.fuse.burn(super().create, key, source))

    def fetch(self, key: str, target: Path) -> None:
        self._answer()
        super().fetch(key, target)

    def stamps(self, prefix: str) -> Iterator[tuple[str, str]]:
        self._answer()
        return super().stamps(prefix)

    def _answer(self) -> None:
        if self.away:
            raise StoreAway("the store is away")


class Switch:
    """A router in memory, in front of `engines`."""

    def __init__(self, fuse: Fuse, engines: "Engines") -> None:
        self.fuse = fuse
        self.engines = engines
        self.state: RouterState | None = None
        self.history: list[RouterState] = []

    def read(self) -> RouterState | None:
        return self.state

    def url(self) -> str:
        return self.engines.url(self.state.active) if self.state else NOBODY

    def why_no_canary(self) -> str | None:
        return None

    def traffic(self, colour: Colour) -> Traffic | None:
        return None

    def write(self, state: RouterState, instead_of: RouterState | None) -> None:
        if self.state != instead_of:
            raise MovedMeanwhile("somebody else wrote")

        def take() -> None:
            self.state = state
            self.history.append(state)

        self.fuse.burn(take)


class Engines:
    """Two engines. A colour in `dead` answers nothing until it is loaded again; one in `broken` never comes up.

    One in `hung` takes requests until it is loaded with something else, and its clients give up.
    """

    def __init__(self, fuse: Fuse, url: str) -> None:
        self.fuse = fuse
        self.base_url = url
        self.held: dict[Colour, LoadedModel] = {}
        self.dead: set[Colour] = set()
        self.broken: set[Colour] = set()
        self.hung: set[Colour] = set()
        self.num_loads = 0

    def loaded(self, colour: Colour) -> LoadedModel | None:
        return self.held.get(colour)

    def load(self, colour: Colour, release: LoadedModel) -> None:
        def take() -> None:
            if self.held.get(colour) != release or colour in self.dead:
                self.num_loads += 1
                self.dead.discard(colour)
                self.hung.discard(colour)
            self.held[colour] = release

        self.fuse.burn(take)

    def unload(self, colour: Colour) -> None:
        self.fuse.burn(self.held.pop, colour, None)

    def url(self, colour: Colour) -> str:
        if colour in self.dead | self.broken or colour not in self.held:
            return NOBODY
        if colour in self.hung:
            return f"{self.base_url}/{HUNG}"
        return f"{self.base_url}/{self.held[colour].model.sha256}/{self.held[colour].release_id}"

    def problem(self, colour: Colour, model_sha256: str) -> str | None:
        return why_not_serving(self.url(colour), model_sha256)

    def failure(self, colour: Colour) -> str | None:
        return "the process ended" if colour in self.dead | self.broken else None


class MortalRegistry(FakeRegistry):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    def register(self, *args: Any) -> str:
        return str(self.fuse.burn(super().register, *args))

    def set_aliases(self, *args: Any) -> None:
        self.fuse.burn(super().set_aliases, *args)


class ReleaseWorld:
    """Release "a" is live on blue; "b" is staged on green and approved by mia."""

    line = "support"

    def __init__(self, folder: Path, url: str) -> None:
        self.fuse = Fuse()
        self.faults = Faults()
        self.folder = folder
        self.bucket = Bucket(folder / ".ratchet" / "store", self.fuse)
        self.engines = Engines(self.fuse, url)
        self.switch = Switch(self.fuse, self.engines)
        self.registry = MortalRegistry(self.fuse)
        self.say("bootstrap", "a")
        self.say("approved", "b")
        self.switch.state = first_state("blue", "a", sha("a"), seq=0)
        self.engines.held = {"blue": loaded("a"), "green": loaded("b")}

    @property
    def world(self) -> World:
        """A new one for each process, as in life."""
        world = World(Settings(root=self.folder), self.folder / "work")
        parts = {
            "store": Store(self.faults.wrap("bucket", self.bucket), self.folder / "scratch"),
            "router": self.faults.wrap("router", self.switch),
            "engine": self.faults.wrap("engine", self.engines),
            "registry": self.faults.wrap("registry", self.registry),
        }
        world.__dict__.update(parts)  # what cached_property would have put there
        return world

    def twin(self, folder: Path) -> "ReleaseWorld":
        """The same moment again in an empty `folder`; what happens there does not happen here."""
        made = copy.copy(self)
        made.folder, made.fuse, made.faults = folder, Fuse(), Faults()
        # Files here are never changed, only replaced.
        shutil.copytree(self.folder / ".ratchet", folder / ".ratchet", copy_function=os.link)
        made.bucket = Bucket(folder / ".ratchet" / "store", made.fuse)
        made.bucket.away = self.bucket.away
        made.engines = Engines(made.fuse, self.engines.base_url)
        for name in ("held", "dead", "broken", "hung"):
            setattr(made.engines, name, copy.copy(getattr(self.engines, name)))
        made.switch = Switch(made.fuse, made.engines)
        made.switch.state = self.switch.state
        made.registry = copy.deepcopy(self.registry)
        made.registry.fuse = made.fuse
        return made

    def say(self, kind: Any, release: str, **fields: Any) -> None:
        if kind == "approved":
            fields.setdefault("at", datetime.now(UTC))  # approvals lapse
        self.world.ledger(self.line).append(lambda events: event(kind, release, **fields))

    @property
    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.world.ledger(self.line).events()]

    @property
    def live(self) -> str:
        """What the ledger says is in production."""
        found = production(self.world.ledger(self.line).events())
        assert found is not None
        return found.release_id

    @property
    def users_on(self) -> str:
        assert self.switch.state is not None
        return self.switch.state.active_release


def loaded(release: str) -> LoadedModel:
    return LoadedModel(release_id=release, model=model(release))


def rollback(by: str = "omar", reason: str = "slow answers", to_release: str = "") -> RollbackInputs:
    return RollbackInputs(line="support", by=by, reason=reason, to_release=to_release)


class _Engine(Answering):
    """Answers for the model that the path names, /<digest>/v1/completions; for another one with 404, as engines do.

    With /<digest>/<release>/v1/… it names the release, as engines do. Users' line is another of its names. A digest in
    `bad` answers chats with what nobody evaluated.
    """

    logprob = -0.1
    bad: frozenset[str] = frozenset()

    def do_POST(self) -> None:
        asked = json.loads(self.body())
        held, release = self.path.split("/")[1:3]
        named = {RELEASE_HEADER: release}
        if held == HUNG:
            self.answer(504, b"{}", named)
            return
        said = "garbage" if held in self.bad else ANSWER
        if asked.get("stream"):
            self.answer(200, b"".join(Streams().lines(said, asked)), named)
            return
        choice: dict[str, Any] = {"text": "Hi", "logprobs": {"token_logprobs": [self.logprob]}}
        if self.path.endswith("/chat/completions"):
            choice = {"message": {"content": said}, "finish_reason": "stop"}
        body = json.dumps({"choices": [choice]}).encode()
        status = 200 if asked["model"] in (held, ReleaseWorld.line) else 404
        self.answer(status, body, named)


@contextmanager
def answering(logprob: float = -0.1, bad: frozenset[str] = frozenset()) -> Iterator[str]:
    """The URL below which every model has an engine that answers."""
    handler = type("Engine", (_Engine,), {"logprob": logprob, "bad": bad})
    with listening(handler) as port:
        yield f"http://127.0.0.1:{port}"
