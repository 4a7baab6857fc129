"""Start one colour's engine: `python -m ratchet.local.vllm blue`, in the serve environment, under the supervisor.

It serves what <state>/serving/<colour>.json says, after every byte of it was verified, and becomes vLLM (exec).
"""

import json
import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from ratchet.clients.engine import COLOURS, ENGINE_STARTS, model_folder, read_intent, serving_folder
from ratchet.clients.memory import MIB, Room, check_room, memory_room, mib
from ratchet.clients.settings import LOOPBACK, Settings, load
from ratchet.clients.store import Store
from ratchet.clients.world import bucket_of
from ratchet.core import log as logs
from ratchet.core.errors import RatchetError, TerminalError
from ratchet.core.log import log
from ratchet.core.refs import FolderRef, digest_folder
from ratchet.core.releases import Colour
from ratchet.serving.capture import CAPTURE_VARIABLE, forget
from ratchet.serving.command import KV_CACHE_GIB, Listening, command, environment, told
from ratchet.serving.weights import checked_weights

SHUTDOWN_SECONDS = 60
# Measured, vLLM 0.32 on a CPU: anonymous memory of its two processes, less the KV cache and the weights.
ENGINE_BYTES = 850 * MIB


class NothingIntended(TerminalError, LookupError):
    """The colour is not meant to serve anything."""

    code = "NOT_SET_UP"


def main(arguments: list[str]) -> NoReturn:
    logs.configure()
    try:
        become_vllm(arguments)
    except RatchetError as error:
        log.error(str(error), extra={"exit_code": error.exit_code, "code": error.code})
        sys.exit(error.exit_code)


def become_vllm(arguments: list[str]) -> NoReturn:
    """Raises RatchetError when there is nothing fit to serve."""
    colour = next((colour for colour in COLOURS if arguments == [colour]), None)
    if colour is None:
        raise TerminalError(f"expected one of {', '.join(COLOURS)}, got {arguments}")
    settings = load()
    intended = read_intent(serving_folder(settings), colour)
    if intended is None:
        raise NothingIntended(f"{colour} is not meant to serve anything: a release or `ratchet up` says what")
    served = {"release": intended.release_id, "model": intended.model.sha256[:12], "lane": intended.serving.lane}
    log.info(ENGINE_STARTS, extra={"colour": colour, **served})
    store = Store(bucket_of(settings), settings.scratch)
    weights = checked_weights(intended, lambda ref: verified_folder(store, serving_folder(settings), ref))
    if settings.device == "cpu":
        check_memory(colour, sum(folder.bytes for folder in intended.folders), memory_room())
    port = settings.ports.blue if colour == "blue" else settings.ports.green
    listening = Listening(LOOPBACK, port, SHUTDOWN_SECONDS)
    arguments = command(settings.recipe, intended, weights, settings.device, listening)
    # Its processes talk over sockets that it leaves behind. A path from where it runs is short whatever the state
    # folder's name, and a socket's path has at most 107 bytes.
    said = told(settings.recipe, intended, colour) | capture(settings) | {"VLLM_RPC_BASE_PATH": "."}
    cache = serving_folder(settings) / "cache"
    os.chdir(empty_folder(serving_folder(settings) / "sockets" / colour))
    os.execve(sys.executable, arguments, environment(cache, settings.device, settings.step_threads or 1, said))  # noqa: S606


def capture(settings: Settings) -> dict[str, str]:
    """What tells the engine to keep answers; what was kept long enough goes now, whether or not it is to keep more."""
    folder, edge = settings.capture_dir, settings.edge
    forget(folder, datetime.now(UTC).date() - timedelta(days=edge.capture_days))
    if not edge.capture_share:
        return {}
    return {
        CAPTURE_VARIABLE: json.dumps({"folder": str(folder), "share": edge.capture_share, "days": edge.capture_days})
    }


def verified_folder(store: Store, serving: Path, ref: FolderRef) -> Path:
    """The folder with the bytes that its digest names. Changed bytes are fetched anew, once.

    Raises:
        TerminalError: the store has no such bytes either.
    """
    folder = model_folder(serving, ref)
    if folder.is_dir() and digest_folder(folder) != folder.name:
        log.warning("the model's files were changed on disk: fetched anew", extra={"folder": str(folder)})
        shutil.rmtree(folder)
    return store.fetch_folder(ref, folder)  # what it fetches it verifies


def check_memory(colour: Colour, model_bytes: int, room: Room) -> None:
    """Raises NotEnoughMemory, MemoryBusy: an engine that runs dry dies late, and may take production along."""
    kv_cache = KV_CACHE_GIB * 1024 * MIB
    needed = ENGINE_BYTES + kv_cache + model_bytes
    told = (
        f"{colour} needs at least {mib(needed)} of memory (weights {mib(model_bytes)}, KV cache {mib(kv_cache)}, vLLM "
        f"itself {mib(ENGINE_BYTES)})"
    )
    check_room(told, needed, room, "serve it where there is more memory, or raise the limit")


def empty_folder(folder: Path) -> Path:
    """Without what an earlier process of the same colour left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main(sys.argv[1:])
