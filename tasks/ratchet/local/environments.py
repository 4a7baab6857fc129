"""One virtual environment per image, from that image's own lock: a laptop and a pod run the same packages."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ratchet.clients.settings import Settings, load
from ratchet.core.errors import RatchetError, TransientError
from ratchet.core.refs import digest_file

IMAGES = ("ops", "data", "train", "evaluate", "convert", "serve")


class InstallFailed(TransientError, RuntimeError):
    """uv could not make an environment."""

    code = "UNAVAILABLE"


def install(settings: Settings, image: str) -> bool:
    """Make `.venvs/<image>` what its lock says; says whether there was anything to do. Interrupted, it starts over."""
    folder = settings.root / settings.environments_dir / image
    stamp, wanted = folder / "lock.sha256", digest_file(settings.lock(image))
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return False
    _uv("venv", "--clear", "--python", sys.executable, str(folder))
    # A lock is complete: resolving again would bring back what an override took out.
    install = ("pip", "install", "--python", str(folder), "--no-deps")
    _uv(*install, "--requirements", str(settings.lock(image)), *_torch_source(settings.device_of(image)))
    _uv(*install, "--editable", str(settings.root))
    stamp.write_text(wanted, "utf-8")
    return True


def missing(settings: Settings) -> list[str]:
    return [image for image in IMAGES if not settings.python(image).is_file()]


def _torch_source(device: str) -> list[str]:
    """uv knows where CPU builds of torch are; a machine that keeps wheels on disk (find-links) is asked first."""
    return [] if os.environ.get("PIP_FIND_LINKS") or device != "cpu" else ["--torch-backend", "cpu"]


def _uv(*arguments: str) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise InstallFailed("uv is not installed beside the command line: run `make setup`")
    # uv does not read pip's variable.
    links = os.environ.get("PIP_FIND_LINKS")
    environment = {**os.environ, **({"UV_FIND_LINKS": links} if links else {})}
    done = subprocess.run([uv, *arguments, "--quiet"], env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise InstallFailed(f"uv {' '.join(arguments[:2])} failed: {done.stderr.strip()[-2000:]}")


def main() -> int:
    settings = load()
    for number, image in enumerate(IMAGES, 1):
        started = time.monotonic()
        try:
            changed = install(settings, image)
        except RatchetError as error:
            sys.stderr.write(f"environment {image}: {error}\n")
            return error.exit_code
        did = f"installed in {time.monotonic() - started:.0f} s" if changed else "is as its lock says"
        sys.stderr.write(f"[{number}/{len(IMAGES)}] environment {image} {did}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
