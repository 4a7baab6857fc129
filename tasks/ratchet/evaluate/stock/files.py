"""The two files of an imported task: both are written, or neither."""

import os
import tempfile
from pathlib import Path

import yaml

from ratchet.core.errors import TerminalError


class AlreadyThere(TerminalError, FileExistsError):
    """A task of that name has files, and nobody said that they may go."""

    code = "REFUSED"


def paths_of(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.yaml", folder / f"{name}.jsonl"


def check_free(folder: Path, name: str) -> None:
    """Raises AlreadyThere when both are there: before any work, since they would have to be replaced."""
    config, data = paths_of(folder, name)
    if config.is_file() and data.is_file():
        raise AlreadyThere(
            f"{config} and {data.name} are there already: --force replaces both (what was measured with them cannot be "
            "compared with what is measured after)"
        )


def write_pair(folder: Path, name: str, config_yaml: str, rows: bytes, force: bool) -> None:
    """Put both in place. One that is there alone may stay as it is, if it says the same.

    Raises AlreadyThere when it says something else, OSError when the folder cannot be written.
    """
    config, data = paths_of(folder, name)
    if not force:
        check_free(folder, name)
        if config.is_file() and yaml.safe_load(config.read_text("utf-8")) != yaml.safe_load(config_yaml):
            raise AlreadyThere(f"{config} is there already and asks otherwise: --force replaces it")
        if data.is_file() and data.read_bytes() != rows:
            raise AlreadyThere(f"{data} is there already with other rows: --force replaces it")
    folder.mkdir(parents=True, exist_ok=True)
    # All that can fail for want of space or rights is done before the first of them gets its name.
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as made:
        new_config, new_data, old_data = Path(made) / "config", Path(made) / "data", Path(made) / "old"
        _write(new_config, config_yaml.encode())
        _write(new_data, rows)
        if data.is_file():
            os.link(data, old_data)
        new_data.replace(data)
        try:
            new_config.replace(config)
        except OSError:
            if old_data.is_file():
                old_data.replace(data)
            else:
                data.unlink()
            raise


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
