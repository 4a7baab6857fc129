"""The inference engines behind the router: one per colour, each told what it is meant to serve.

<state>/serving/blue.json            the intended state: a LoadedModel
<state>/serving/models/<sha256>/     merged models, bases and adapters, fetched from the store
"""

import shutil
import time
from pathlib import Path
from typing import Protocol, Self

from pydantic import ValidationError, model_validator

from ratchet.clients.edge_counts import NoEdge, edge_counts
from ratchet.clients.files import replace_file
from ratchet.clients.http import http_client
from ratchet.clients.memory import NotEnoughMemory
from ratchet.clients.probe import why_not_serving
from ratchet.clients.settings import Ports, Settings
from ratchet.clients.store import Store
from ratchet.clients.supervisor import Supervisor, SupervisorRpc
from ratchet.core.contract import Contract
from ratchet.core.errors import TerminalError
from ratchet.core.log import log
from ratchet.core.refs import FolderRef
from ratchet.core.releases import Colour
from ratchet.core.serving import ServedParts, ServingSettings, lane_of

COLOURS: tuple[Colour, ...] = ("blue", "green")
DRAIN_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.2
NUM_LOG_LINES = 12
# The first thing that an engine's process writes (local/vllm.py).
ENGINE_STARTS = "starting vLLM"
# What Python, torch and vLLM say; of a process that the kernel killed for its memory, vLLM knows only that it is gone.
MEMORY_SIGNS = (
    *("MemoryError", "OutOfMemoryError", "out of memory", "allocate memory", "bad_alloc", "KV cache is needed"),
    *("died unexpectedly", "': -9}"),  # a worker; the engine's core
)
OUT_OF_MEMORY = (
    "it seems to have run out of memory, stop what else runs there, or serve a smaller model, or a shorter context "
    "(max_model_len): {said}; "
)


class LoadedModel(Contract):
    """`model` is the evaluated model, whose digest it answers to; in the adapter lane `parts` are what is loaded."""

    release_id: str
    model: FolderRef
    serving: ServingSettings = ServingSettings()
    parts: ServedParts | None = None

    @model_validator(mode="after")
    def _is_of_one_lane(self) -> Self:
        self.serving.check_lane(self.parts)
        return self

    @property
    def folders(self) -> tuple[FolderRef, ...]:
        """All that must be on the engine's disk; of parts the base first."""
        return (self.parts.base, self.parts.adapter) if self.parts else (self.model,)


def to_load(release_id: str, model: FolderRef, parts: ServedParts | None, serving: ServingSettings) -> LoadedModel:
    """A release as it went live: the lane is its own, the other settings are `serving`'s."""
    return LoadedModel(release_id=release_id, model=model, parts=parts, serving=serving.in_lane(lane_of(parts)))


class BrokenIntent(TerminalError, ValueError):
    """What a colour is meant to serve was written by other hands."""

    code = "SERVE_STATE_BROKEN"


def lacked_memory(why: str) -> bool:
    """Does an engine's `failure` say so? A pod's does in capitals, a process that was refused by its code."""
    return any(sign in why for sign in (*MEMORY_SIGNS, "OUT OF MEMORY", NotEnoughMemory.code))


class Engine(Protocol):
    """Intended state per colour; whoever runs the engines (supervisor, Kubernetes) makes it so."""

    def loaded(self, colour: Colour) -> LoadedModel | None:
        """What the colour is meant to serve."""
        ...

    def load(self, colour: Colour, model: LoadedModel) -> None:
        """Drain the colour, then start it with `model`; returns before it is ready.

        Does nothing if it is there and runs. Nothing is stopped before the model is at hand and its bytes verified.
        The caller sees to it that the colour has no users.
        """
        ...

    def unload(self, colour: Colour) -> None:
        """Drain and stop."""
        ...

    def url(self, colour: Colour) -> str:
        """Base URL of the colour's OpenAI-compatible API, without /v1."""
        ...

    def problem(self, colour: Colour, model_sha256: str) -> str | None:
        """Why the colour is not fit for users of this model now; None when it answers as it, with finite numbers."""
        ...

    def failure(self, colour: Colour) -> str | None:
        """Why the colour's process ended, from its log; None while it runs, is starting, or is not meant to run.

        A process that ended since the model was loaded counts as failed until its successor is up.
        """
        ...


class SupervisedVllm:
    """vLLM under the embedded platform's supervisor; local/vllm.py is what it starts."""

    def __init__(self, settings: Settings, store: Store, supervisor: Supervisor | None = None) -> None:
        self.ports = settings.ports
        self.folder = serving_folder(settings)
        self.store = store
        self.supervisor = supervisor or SupervisorRpc(settings.state / "supervisor.sock")

    def loaded(self, colour: Colour) -> LoadedModel | None:
        return read_intent(self.folder, colour)

    def load(self, colour: Colour, model: LoadedModel) -> None:
        if self.loaded(colour) == model and self.supervisor.process(_program(colour)).runs:
            log.info("load skipped: it is there already", extra={"colour": colour, "release": model.release_id})
            return
        for needed in model.folders:
            self.store.fetch_folder(needed, model_folder(self.folder, needed))
        self._stop(colour)
        # Written between stop and start: killed here, the next call sees a stopped colour and starts it.
        replace_file(_intent_path(self.folder, colour), model.canonical_json())
        self._forget_unused()
        self.supervisor.start(_program(colour))
        log.info("loading", extra={"colour": colour, "release": model.release_id, "model": model.model.sha256[:12]})

    def unload(self, colour: Colour) -> None:
        self._stop(colour)
        _intent_path(self.folder, colour).unlink(missing_ok=True)
        self._forget_unused()
        log.info("unloaded", extra={"colour": colour})

    def url(self, colour: Colour) -> str:
        return f"http://127.0.0.1:{self.ports.blue if colour == 'blue' else self.ports.green}"

    def problem(self, colour: Colour, model_sha256: str) -> str | None:
        return why_not_serving(self.url(colour), model_sha256)

    def failure(self, colour: Colour) -> str | None:
        intent = _intent_path(self.folder, colour)
        if not intent.is_file():
            return None
        process = self.supervisor.process(_program(colour))
        ended_since = process.ended_at > intent.stat().st_mtime
        if not process.gave_up and not (ended_since and not _is_up(self.url(colour))):
            return None
        lines = _of_newest_process(self.supervisor.tail(_program(colour)))
        said = next((line.strip() for line in lines if any(sign in line for sign in MEMORY_SIGNS)), None)
        told = f"{_program(colour)} ended ({process.state.lower()}); {OUT_OF_MEMORY.format(said=said) if said else ''}"
        return "\n".join([f"{told}the end of its log:", *lines[-NUM_LOG_LINES:]])

    def _stop(self, colour: Colour) -> None:
        if self.supervisor.process(_program(colour)).runs:
            self._drain(colour)
        self.supervisor.stop(_program(colour))

    def _drain(self, colour: Colour) -> None:
        """Wait for the answers under way: an engine that is told to stop refuses new requests and cuts old ones."""
        deadline = time.monotonic() + DRAIN_TIMEOUT_SECONDS
        while requests_in_flight(self.ports, colour) != 0:
            if time.monotonic() > deadline:
                log.warning("stopped while busy: users were not moved away", extra={"colour": colour})
                return
            time.sleep(POLL_SECONDS)

    def _forget_unused(self) -> None:
        """Delete the folders that no colour is meant to serve; a process that has one open keeps its bytes."""
        kept = {needed.sha256 for colour in COLOURS if (model := self.loaded(colour)) for needed in model.folders}
        folder = self.folder / "models"
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def serving_folder(settings: Settings) -> Path:
    return settings.state / "serving"


def model_folder(folder: Path, model: FolderRef) -> Path:
    return folder / "models" / model.sha256


def read_intent(folder: Path, colour: Colour) -> LoadedModel | None:
    """What `colour` is meant to serve. Raises BrokenIntent for a file that other hands wrote."""
    path = _intent_path(folder, colour)
    try:
        return LoadedModel.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        problems = "; ".join(e["msg"] for e in error.errors())
        raise BrokenIntent(f"{path}: expected a release and its model, got: {problems}; delete the file") from error


def requests_in_flight(ports: Ports, colour: Colour) -> int | None:
    """Users' requests that the edge has given to `colour` and that are not fully answered.

    The edge counts from the moment it chose the colour; vLLM's own gauges know a request only after its next step, and
    say 0 until then. 0 when there is no edge, since then there is nothing to wait for; None when it does not say.
    """
    try:
        found = edge_counts(ports, colour, ("upstream_rq_active", "upstream_rq_pending_active"))
    except NoEdge:
        return 0
    return sum(found.values()) if found else None


def _of_newest_process(log: str) -> list[str]:
    lines = log.strip().splitlines()
    starts = [number for number, line in enumerate(lines) if ENGINE_STARTS in line]
    return lines[starts[-1] :] if starts else lines


def _is_up(url: str) -> bool:
    import httpx

    try:
        return http_client().get(f"{url}/health", timeout=2.0).is_success
    except httpx.HTTPError:
        return False


def _intent_path(folder: Path, colour: Colour) -> Path:
    return folder / f"{colour}.json"


def _program(colour: Colour) -> str:
    return f"vllm-{colour}"
