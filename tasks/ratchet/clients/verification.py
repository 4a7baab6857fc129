"""Asks every part of the platform what it serves; what is down is a silence (core/verification.py judges)."""

from collections.abc import Callable
from typing import TypeVar

from ratchet.clients import mlflow_rest
from ratchet.clients.edge_keys import own_key
from ratchet.clients.engine import LoadedModel, model_folder, serving_folder
from ratchet.clients.ledger import BrokenJournal, EventRefused
from ratchet.clients.openai import NotANumber, RequestRefused, chat, check_numbers, served_names
from ratchet.clients.probe import QUESTION
from ratchet.clients.router import BrokenRoutes
from ratchet.clients.settle import num_waiting
from ratchet.clients.world import World
from ratchet.core.errors import RatchetError, TerminalError, TransientError
from ratchet.core.refs import FolderRef, digest_folder
from ratchet.core.rollout import RouterState
from ratchet.core.serving import parts_named
from ratchet.core.verification import AtEdge, Facts, Heard, files_of

# Answers that are wrong by themselves; every other failure means that nobody could be asked.
FAULTS = (BrokenJournal, EventRefused, BrokenRoutes, NotANumber)

Answer = TypeVar("Answer")


class Strayed(TerminalError, ValueError):
    """What is at hand is not what it is meant to be."""

    code = "PRODUCTION_STRAYED"


class NobodyAnswers(TransientError, LookupError):
    """There is nobody to ask, or nobody who tells."""

    code = "SERVE_NOT_READY"


def heard(question: Callable[[], Answer]) -> Heard[Answer]:
    try:
        return Heard(question())
    except (*FAULTS, Strayed) as error:
        return Heard(fault=str(error))
    except (RatchetError, OSError) as error:
        return Heard(silence=str(error))


def gather(world: World, line: str, users_url: str, anew: bool = True) -> Facts:
    """Ask everything once; what is down is a silence, and hinders nothing else. `users_url`: the edge, from here.

    Unless `anew`, no served files are read, which may have many gigabytes, and of the ledger only what was written
    since this world read it.
    """
    ledger = world.ledger(line)
    serving = _InPods(world) if world.settings.runtime == "kubernetes" else _OnThisMachine(world)
    router = heard(lambda: _state(world))
    return Facts(
        line=line,
        ledger=heard(ledger.verify if anew else ledger.verify_new),
        num_waiting=num_waiting(world, line),
        router=router,
        engine=_of_active(router, serving.engine),
        files=_of_active(router, serving.files) if anew else Heard(silence="not asked"),
        files_where=serving.where,
        edge=heard(lambda: _edge(users_url, line, own_key(world.settings))),
        aliases=heard(lambda: mlflow_rest.aliases(world.settings.mlflow_url, line)),
    )


class _OnThisMachine:
    """Engines and files that can be asked and read."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.where = f"{serving_folder(world.settings)}/models/"

    def engine(self, state: RouterState) -> str:
        """The digest under which the active colour answers, which must be the router's."""
        url = self.world.engine.url(state.active)
        try:
            check_numbers(url, state.active_model, QUESTION)
        except RequestRefused as refused:
            names = ", ".join(served_names(url))
            raise Strayed(f"{state.active} does not answer as {state.active_model}; it serves {names}") from refused
        return state.active_model

    def files(self, state: RouterState) -> str:
        """The digests of the bytes that the active colour was told to load."""
        told = self.world.engine.loaded(state.active)
        if told is None:
            raise Strayed(f"{state.active} has the users, but was told to serve nothing")
        if told.parts is None:
            return self._digest(told.model)
        return parts_named(self._digest(told.parts.adapter), self._digest(told.parts.base))

    def _digest(self, ref: FolderRef) -> str:
        folder = model_folder(serving_folder(self.world.settings), ref)
        if not folder.is_dir():
            raise Strayed(f"{folder} is not there")
        return digest_folder(folder)


class _InPods:
    """Engines that only the cluster reaches: what its own probes and init containers say."""

    where = "the pods' disks: each pod's init container verified every byte when it started; no change since is seen"

    def __init__(self, world: World) -> None:
        self.world = world

    def engine(self, state: RouterState) -> str:
        """The digest that the Deployment names, once each of its pods has generated a token under it."""
        return self._told(state).model.sha256

    def files(self, state: RouterState) -> str:
        told = self._told(state)
        return files_of(told.model.sha256, told.parts)

    def _told(self, state: RouterState) -> LoadedModel:
        told = self.world.engine.loaded(state.active)
        if told is None or told.model.sha256 != state.active_model:
            raise Strayed(f"{state.active} was told to serve {told.model.sha256 if told else 'nothing'}")
        if problem := self.world.engine.problem(state.active, state.active_model):
            raise NobodyAnswers(problem)
        return told


def _state(world: World) -> RouterState:
    state = world.router.read()
    if state is None:
        raise NobodyAnswers("the router was told nothing yet: `ratchet up`")
    return state


def _of_active(router: Heard[RouterState], question: Callable[[RouterState], str]) -> Heard[str]:
    state = router.value
    if state is None:
        return Heard(silence="the router does not say which colour has the users")
    return heard(lambda: question(state))


def _edge(url: str, line: str, key: str) -> AtEdge:
    try:
        answer = chat(url, line, QUESTION, max_tokens=1, key=key)
    except RequestRefused as refused:  # it may ask for a key that this command does not have
        raise NobodyAnswers(str(refused)) from refused
    return AtEdge(answer.release, answer.colour)
