"""The platform's first model: the tiny base, trained once, kept in the cache, and released by a bootstrap event."""

import os
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ratchet.clients import guard
from ratchet.clients.engine import COLOURS, to_load
from ratchet.clients.process import OFFLINE, PATIENT
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.contract import Name, digest_json
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.log import log
from ratchet.core.model_folder import check_model_folder
from ratchet.core.refs import FolderRef, digest_file
from ratchet.core.releases import Colour, LedgerEvent, production
from ratchet.core.rollout import first_state
from ratchet.recipes.recipe import Recipe

TINY = "ratchet-tiny"
# What decides its weights: the code below and the lock of the environment that it runs in.
SOURCES = ("local/base_model.py", "local/corpus.py", "local/muon.py", "core/arithmetic.py")


def ensure_base(settings: Settings, world: World, recipe: Recipe, on_line: Callable[[str], None]) -> FolderRef:
    """The recipe's base in the store; the tiny one is trained first if this machine has not done so yet."""
    if known := world.base(recipe.base):
        return known
    if recipe.base != TINY:
        raise TerminalError(
            f"the store has no base model named {recipe.base!r}: hand it in once, `ratchet import-base FOLDER --name "
            f"{recipe.base}` (a folder with config.json, tokenizer, chat template and safetensors)"
        )
    folder = settings.cache / f"{recipe.base}-{_cache_key(settings)[:16]}"
    if not folder.is_dir():
        train(settings, folder, on_line)
    return world.name_base(recipe.base, world.store.put_folder(folder))


def import_base(world: World, folder: Path, name: str) -> FolderRef:
    """Put a model into the store under a name that recipes use, whose releases depend on its bytes.

    Raises:
        BadModelFolder: it is not a whole and safe model.
        TerminalError: no recipe could use the name, or it has other bytes already.
    """
    _check_name(name)
    check_model_folder(folder)
    ref = world.store.put_folder(folder)
    known = world.name_base(name, ref)
    if known != ref:
        raise TerminalError(
            f"{name!r} is the name of another base already, {known.sha256[:12]}, got {ref.sha256[:12]}; take a new name"
        )
    return ref


def _check_name(name: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise TerminalError(
            f"no recipe can name a base {name!r}: expected a letter, then letters, digits, - and _, all of them "
            "lower-case, at most 63 in all"
        ) from None


def train(settings: Settings, folder: Path, on_line: Callable[[str], None]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = str(settings.python("train"))
    command = guard.guarded(python, "-m", "ratchet.local.base_model", str(folder))
    environment = {**os.environ, **OFFLINE, **PATIENT}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            on_line(line.rstrip("\n"))
    if process.returncode:
        raise TransientError(f"training the base model ended with {process.returncode}; its log is above; run again")


def bootstrap(world: World, recipe: Recipe, base: FolderRef) -> None:
    """The very first release: the untuned base, on blue. With a production there is, see only that it is loaded."""
    event = LedgerEvent(
        line=recipe.line,
        kind="bootstrap",
        at=datetime.now(UTC),
        by="platform",
        release_id=f"{recipe.line}-base-{base.sha256[:12]}",
        model=base,
        colour="blue",
        note="the untuned base: there is always a baseline",
    )

    def decide(events: Sequence[LedgerEvent]) -> LedgerEvent | None:
        return None if events else event

    ledger = world.ledger(recipe.line)
    if ledger.append(decide):
        log.info("released the base model", extra={"line": recipe.line, "model": base.sha256[:12]})
    live, state = production(ledger.events()), world.router.read()
    if live is None:
        return
    loaded = to_load(live.release_id, live.model, live.parts, recipe.serving)
    if state is None:
        colour = _colour_that_holds(world, live.model.sha256)
        world.engine.load(colour, loaded)
        world.router.write(first_state(colour, live.release_id, live.model.sha256, live.seq), instead_of=None)
    elif state.serves(live.release_id, live.model.sha256) and world.engine.loaded(state.active) is None:
        world.engine.load(state.active, loaded)  # somebody emptied the colour that has the users


def _colour_that_holds(world: World, model_sha256: str) -> Colour:
    """Where the router's state was lost the users may be on either colour; blue where neither has the model."""
    held = ((colour, world.engine.loaded(colour)) for colour in COLOURS)
    return next((colour for colour, found in held if found and found.model.sha256 == model_sha256), "blue")


def _cache_key(settings: Settings) -> str:
    package = Path(__file__).parent.parent
    return digest_json([digest_file(settings.lock("train")), *(digest_file(package / name) for name in SOURCES)])
