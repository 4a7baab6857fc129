"""What an engine loads, on its disk and verified: one merged model, or a base and the adapter on it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ratchet.clients.engine import LoadedModel
from ratchet.core.adapter_folder import check_adapter_folder
from ratchet.core.model_folder import check_model_folder
from ratchet.core.refs import FolderRef


@dataclass(frozen=True)
class Adapter:
    """`base_sha256` names what it sits on."""

    folder: Path
    rank: int
    base_sha256: str


@dataclass(frozen=True)
class Weights:
    """`model`: the folder of the merged model, or of the base where there is an `adapter`."""

    model: Path
    adapter: Adapter | None = None


def checked_weights(intended: LoadedModel, folder_of: Callable[[FolderRef], Path]) -> Weights:
    """Ready to be loaded; `folder_of` puts a folder on this disk, or says where it is.

    Raises:
        BadModelFolder, NotServable: it is not fit to be loaded.
    """
    model = folder_of(intended.folders[0])
    check_model_folder(model)
    if intended.parts is None:
        return Weights(model)
    base_sha256, folder = intended.parts.base.sha256, folder_of(intended.parts.adapter)
    return Weights(model, Adapter(folder, check_adapter_folder(folder, base_sha256), base_sha256))
