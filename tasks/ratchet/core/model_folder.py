"""Is a folder a whole and safe model? Asked before anything loads it, with the standard library only, in milliseconds.

Loaders find such faults late and oddly: a truncated upload after minutes, a missing chat template as worse answers,
remote code by running it. Looks at names and headers, not at the numbers: NaN weights pass.
"""

import json
from pathlib import Path
from typing import Any

from ratchet.core.errors import TerminalError

PICKLE_SUFFIXES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
INDEX = "model.safetensors.index.json"
_LENGTH_BYTES = 8  # a safetensors file: little-endian length of the header, the header as JSON, the data
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit


class BadModelFolder(TerminalError, ValueError):
    """The folder is not a model that Ratchet loads."""

    code = "MODEL_INVALID"


def check_model_folder(folder: Path) -> None:
    """Raises BadModelFolder, with one sentence that names the file, what was expected, and what to do."""
    if not folder.is_dir():
        raise BadModelFolder(f"{folder} is not a folder: expected one with config.json, tokenizer.json and safetensors")
    _check_config(folder)
    _check_tokenizer(folder)
    _check_no_pickle(folder)
    _check_weights(folder)


def check_safetensors(path: Path) -> list[str]:
    """Header and size of one safetensors file; returns the names of its tensors.

    Raises BadModelFolder, with byte counts where the file is cut off.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or header_bytes > _MAX_HEADER_BYTES:
            raise BadModelFolder(f"{path}: expected a safetensors header, got {size} bytes that do not begin with one")
        if size < _LENGTH_BYTES + header_bytes:
            raise _truncated(path, expected=f"a header of {_LENGTH_BYTES + header_bytes} bytes and data", size=size)
        ends = _tensor_ends(path, file.read(header_bytes))
    expected = _LENGTH_BYTES + header_bytes + max(ends.values(), default=0)
    if size < expected:
        raise _truncated(path, expected=f"{expected} bytes", size=size)
    if size > expected:
        raise BadModelFolder(f"{path}: expected {expected} bytes by its header, got {size}; upload it again")
    return list(ends)


def _check_config(folder: Path) -> None:
    config = read_object(folder / "config.json", why="it describes the architecture")
    _refuse_remote_code(folder / "config.json", config)
    if not config.get("model_type"):
        raise BadModelFolder(f"{folder / 'config.json'}: no model_type, so no architecture to load; add it")


def _check_tokenizer(folder: Path) -> None:
    read_object(folder / "tokenizer.json", why="it is the tokenizer; save it with the model")
    path = folder / "tokenizer_config.json"
    settings = read_object(path, why="it holds the special tokens") if path.exists() else {}
    _refuse_remote_code(path, settings)
    template = folder / "chat_template.jinja"
    if not settings.get("chat_template") and not (template.is_file() and template.stat().st_size):
        raise BadModelFolder(
            f"{folder}: no chat template: expected chat_template.jinja, or chat_template in tokenizer_config.json; "
            "without it nobody knows how the model was spoken to"
        )


def _check_no_pickle(folder: Path) -> None:
    pickles = sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLE_SUFFIXES)
    if pickles:
        raise BadModelFolder(
            f"{folder}: {', '.join(pickles)}: pickled files are refused, since loading them runs code; "
            "save the weights as safetensors and delete these"
        )


def _check_weights(folder: Path) -> None:
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise BadModelFolder(f"{folder}: no weights: expected model.safetensors, or shards and {INDEX}")
    if (folder / INDEX).exists():
        named = set(read_object(folder / INDEX, why="it lists the shards").get("weight_map", {}).values())
        missing = sorted(named - {shard.name for shard in shards})
        if missing:
            raise BadModelFolder(f"{folder}: {INDEX} names {', '.join(missing)}, not there; upload the shards again")
    for shard in shards:
        check_safetensors(shard)


def _refuse_remote_code(path: Path, content: dict[str, Any]) -> None:
    if "auto_map" in content:
        raise BadModelFolder(
            f"{path}: auto_map asks to run code that comes with the model, which is refused; "
            "use an architecture that transformers has built in, and remove auto_map"
        )


def read_object(path: Path, why: str) -> dict[str, Any]:
    """A JSON object; `why` it must be there. Raises BadModelFolder."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BadModelFolder(f"{path} is missing: {why}") from None
    except ValueError as error:
        raise BadModelFolder(f"{path}: expected JSON, got {path.stat().st_size} bytes that are not: {error}") from error
    if not isinstance(content, dict):
        raise BadModelFolder(f"{path}: expected a JSON object, got {type(content).__name__}")
    return content


def _tensor_ends(path: Path, header: bytes) -> dict[str, int]:
    """Where each tensor's data ends, in bytes from the first one's beginning."""
    try:
        entries = json.loads(header)
        return {name: int(entry["data_offsets"][1]) for name, entry in entries.items() if name != "__metadata__"}
    except (ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        raise BadModelFolder(f"{path}: the safetensors header is not what the format says: {error!r}") from error


def _truncated(path: Path, expected: str, size: int) -> BadModelFolder:
    return BadModelFolder(f"{path} is truncated: expected {expected}, got {size}; upload it again")
