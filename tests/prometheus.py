"""Debian's prometheus and promtool: those on the PATH, else its package, unpacked without being root."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
UNPACKED = ROOT / ".venvs" / "prometheus"


def tool(name: str) -> Path:
    """`prometheus` or `promtool`. Raises RuntimeError where there is neither the tool nor Debian's package."""
    if found := shutil.which(name):
        return Path(found)
    if not UNPACKED.is_dir():
        _unpack(UNPACKED)
    return UNPACKED / "usr" / "bin" / name


def _unpack(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        place = Path(folder)
        _run("apt-get", "download", "--quiet", "prometheus", cwd=place)
        (package,) = place.glob("*.deb")
        _run("dpkg-deb", "--extract", str(package), str(place / "files"), cwd=place)
        (place / "files").rename(target)


def _run(*command: str, cwd: Path) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        raise RuntimeError(
            f"{' '.join(command)}: {said}; the tests of alerts need prometheus and promtool: install them, "
            "or on Debian run `apt-get update` first"
        ) from error
