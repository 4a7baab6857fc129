"""Debian's Prometheus and Alertmanager: those on the PATH, else its packages, unpacked without being root."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}


def tool(name: str) -> Path:
    """One of PACKAGES. Raises RuntimeError where there is neither the tool nor Debian's package."""
    if found := shutil.which(name):
        return Path(found)
    unpacked = ROOT / ".venvs" / PACKAGES[name]
    if not unpacked.is_dir():
        _unpack(PACKAGES[name], unpacked)
    return unpacked / "usr" / "bin" / name


@contextmanager
def prometheus(folder: Path, *options: str) -> Iterator[str]:
    """Its address, once it answers; <folder> has prometheus.yml and data. Raises RuntimeError after a minute."""
    command = [
        *(tool("prometheus"), "--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "data"),
        *("--web.listen-address", "127.0.0.1:0", "--log.level", "info", *options),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            yield f"http://{_address(process, folder / 'log')}"
        finally:
            process.terminate()
            process.wait(30)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 60.0
    while "Server is ready" not in (said := log.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Prometheus does not start: {said[-2000:]}")
        time.sleep(0.1)
    found = re.search(r"Listening on\" address=(\S+)", said)
    assert found, said
    return found.group(1)


def _unpack(package: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        place = Path(folder)
        _run("apt-get", "download", "--quiet", package, cwd=place)
        (archive,) = place.glob("*.deb")
        _run("dpkg-deb", "--extract", str(archive), str(place / "files"), cwd=place)
        _find_its_files_below(place / "files")
        (place / "files").rename(target)


def _find_its_files_below(unpacked: Path) -> None:
    """Debian's Alertmanager reads its templates from /usr, where it is not: now from `usr` of the folder it runs in."""
    for binary in unpacked.glob("usr/bin/*alertmanager"):
        binary.write_bytes(binary.read_bytes().replace(b"/usr/share/prometheus/", b"usr//share/prometheus/"))


def _run(*command: str, cwd: Path) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        raise RuntimeError(
            f"{' '.join(command)}: {said}; the tests of alerts need prometheus and prometheus-alertmanager: install "
            "them, or on Debian run `apt-get update` first"
        ) from error
