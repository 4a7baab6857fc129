"""The two containers of an engine's pod, `python -m ratchet.serving fetch` and `… serve` (helm/serving).

`fetch` alone sees the store: it copies what the pod's annotation names (a merged model, or a base and its adapter),
every byte verified. `serve` becomes vLLM (exec) on what is there.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from ratchet.clients.engine import LoadedModel
from ratchet.clients.settings import load
from ratchet.clients.store import Store
from ratchet.clients.world import bucket_of
from ratchet.core import log as logs
from ratchet.core.errors import EXIT_DONE, NotSetUp, RatchetError, TerminalError
from ratchet.core.log import log
from ratchet.core.refs import FolderRef
from ratchet.serving.command import Listening, command, environment, told
from ratchet.serving.middleware import CLOSE_VARIABLE, COLOUR_VARIABLE
from ratchet.serving.weights import checked_weights

LOADED_VARIABLE = "RATCHET_LOADED"
MODELS = Path("/models")
HOST, PORT = "0.0.0.0", 8000  # noqa: S104 - a pod's own address; who may reach it, network policies say
SHUTDOWN_SECONDS = int(os.environ.get("RATCHET_DRAIN_SECONDS", "120"))


def main(arguments: list[str]) -> int:
    logs.configure()
    try:
        if arguments == ["fetch"]:
            fetch(intended())
        elif arguments == ["serve"]:
            serve(intended())
        else:
            raise TerminalError(f"expected fetch or serve, got {arguments}")
    except RatchetError as error:
        log.error(str(error), extra={"exit_code": error.exit_code, "code": error.code})
        return error.exit_code
    return EXIT_DONE


def intended() -> LoadedModel:
    """Raises NotSetUp when nobody has said what to serve."""
    written = os.environ.get(LOADED_VARIABLE, "")
    try:
        return LoadedModel.model_validate_json(written)
    except ValidationError as error:
        raise NotSetUp(
            f"the pod's annotation ratchet.dev/loaded does not say what to serve, got {written[:80]!r}: a release or "
            "`ratchet up` writes it; until then this Deployment should have no replicas"
        ) from error


def fetch(model: LoadedModel) -> None:
    settings = load()
    store = Store(bucket_of(settings), settings.scratch)
    checked_weights(model, lambda ref: store.fetch_folder(ref, _on_disk(ref)))
    num_bytes = sum(ref.bytes for ref in model.folders)
    log.info("fetched", extra={"release": model.release_id, "model": model.model.sha256[:12], "bytes": num_bytes})


def serve(model: LoadedModel) -> NoReturn:
    settings, colour = load(), os.environ[COLOUR_VARIABLE]
    kept = {name: os.environ[name] for name in (CLOSE_VARIABLE, "NVIDIA_VISIBLE_DEVICES") if name in os.environ}
    weights = checked_weights(model, _on_disk)
    arguments = command(settings.recipe, model, weights, settings.device, Listening(HOST, PORT, SHUTDOWN_SECONDS))
    log.info("starting vLLM", extra={"colour": colour, "release": model.release_id})
    own = {**told(settings.recipe, model, colour), **kept}
    seen = environment(settings.state, settings.device, settings.step_threads or 1, own)
    os.execve(sys.executable, arguments, seen)  # noqa: S606


def _on_disk(ref: FolderRef) -> Path:
    return MODELS / ref.sha256


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
