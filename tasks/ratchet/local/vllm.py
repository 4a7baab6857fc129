"""Start one colour's engine: `python -m ratchet.local.vllm blue`, in the serve environment, under the supervisor.

It serves what <state>/serving/<colour>.json says, after every byte of it was verified, and becomes vLLM (exec).
"""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from ratchet.clients.engine import COLOURS, LoadedModel, model_folder, read_intent, serving_folder
from ratchet.clients.process import INHERITED, OFFLINE
from ratchet.clients.settings import Settings, load
from ratchet.clients.store import Store
from ratchet.clients.world import bucket_of
from ratchet.core import log as logs
from ratchet.core.errors import RatchetError, TerminalError
from ratchet.core.log import log
from ratchet.core.model_folder import check_model_folder
from ratchet.core.refs import digest_folder
from ratchet.core.releases import Colour

MAX_CONCURRENT_ANSWERS = 16
# vLLM refuses new requests and finishes old ones for so long after it was told to stop; its default cuts them at once.
SHUTDOWN_SECONDS = 60
KV_CACHE_GIB = 1
# Longer than the edge keeps an idle connection (local/edge.py).
KEEP_ALIVE_SECONDS = 75


class NothingIntended(TerminalError, LookupError):
    """The colour is not meant to serve anything."""


def main(arguments: list[str]) -> NoReturn:
    logs.configure()
    try:
        become_vllm(arguments)
    except RatchetError as error:
        log.error(str(error), extra={"exit_code": error.exit_code})
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
    store = Store(bucket_of(settings), settings.scratch)
    folder = verified_folder(store, serving_folder(settings), intended)
    check_model_folder(folder)
    log.info("starting vLLM", extra={"colour": colour, "release": intended.release_id, "model": folder.name[:12]})
    os.execve(sys.executable, command(settings, colour, intended, folder), environment(settings))  # noqa: S606


def verified_folder(store: Store, serving: Path, intended: LoadedModel) -> Path:
    """The model's folder with the bytes that its digest names. Changed bytes are fetched anew, once.

    Raises:
        TerminalError: the store has no such bytes either.
    """
    folder = model_folder(serving, intended.model)
    if folder.is_dir() and digest_folder(folder) != folder.name:
        log.warning("the model's files were changed on disk: fetched anew", extra={"folder": str(folder)})
        shutil.rmtree(folder)
    return store.fetch_folder(intended.model, folder)  # what it fetches it verifies


def command(settings: Settings, colour: Colour, intended: LoadedModel, folder: Path) -> list[str]:
    """vLLM's own `vllm` script does not start in the CPU build (its package metadata is missing): the module does."""
    port = settings.ports.blue if colour == "blue" else settings.ports.green
    names = dict.fromkeys((settings.recipe, intended.release_id, intended.model.sha256))
    return [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(folder), "--served-model-name", *names),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", "float32", "--enforce-eager", "--max-num-seqs", str(MAX_CONCURRENT_ANSWERS)),
        *("--shutdown-timeout", str(SHUTDOWN_SECONDS)),
        *("--disable-uvicorn-access-log", "--no-enable-log-requests"),
    ]


def environment(settings: Settings) -> dict[str, str]:
    """All that vLLM sees. Not PYTHONDONTWRITEBYTECODE: three processes compiling what they import cost 40 s."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    cache = serving_folder(settings) / "cache"
    return {
        **inherited,
        **OFFLINE,
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": str(KV_CACHE_GIB),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(settings.step_threads or 1),
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": str(KEEP_ALIVE_SECONDS),
        "VLLM_CACHE_ROOT": str(cache / "vllm"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torchinductor"),
        "PYTHONUNBUFFERED": "1",
    }


if __name__ == "__main__":
    main(sys.argv[1:])
