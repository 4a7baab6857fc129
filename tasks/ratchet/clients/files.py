"""A small file that others read while it changes: they see all of the old content or all of the new."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ratchet.core.errors import TransientError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(TransientError, OSError):
    """No space is left where a file is to be written."""

    code = "DISK_FULL"


@contextmanager
def told_when_full(folder: Path, num_bytes: int | None = None) -> Iterator[None]:
    """Raises DiskFull in place of the operating system's words for a full `folder`; `num_bytes`: so many are needed."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise disk_full(Path(error.filename).parent if error.filename else folder, str(error), num_bytes) from error


def disk_full(folder: Path, problem: str, num_bytes: int | None = None) -> DiskFull:
    """`problem`: in the words of whoever tried to write."""
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    needed = f" and {num_bytes} needed" if num_bytes is not None else ""
    return DiskFull(
        f"cannot write into {folder}: {problem}; {free} bytes are free there{needed}: free space (or raise the quota), "
        "then run again"
    )


def replace_file(path: Path, content: bytes) -> None:
    """Durable when it returns: content and name survive a power cut. Raises DiskFull, and leaves what was there."""
    with told_when_full(path.parent, len(content)):
        _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).rename(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
