"""Build the images: `python containers/build.py [IMAGE…] [--device cuda] [--prefix registry/ratchet] [--push]`.

Uses docker, podman or buildah, whichever is there, or any command called as `COMMAND FOLDER TAG [--build-arg …]`. Each
image gets a context of its own (dist/images/<image>/): its lock, the project files that it needs, the wheel. Standard
library only. Prints what was built and how long it took. Pushed images are signed where COSIGN_KEY names a key.
"""

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES = ("ops", "data", "train", "evaluate", "convert", "serve", "airflow")
# Airflow parses the DAGs, which read the policy files and every image's lock.
PROJECT_FILES = {"airflow": ("dags", "expectations", "quality_gates", "containers")}
BUILDERS = {
    "docker": ("docker", "build", "--file", "{folder}/Dockerfile", "--tag", "{tag}"),
    "podman": ("podman", "build", "--file", "{folder}/Dockerfile", "--tag", "{tag}"),
    "buildah": ("buildah", "build", "--layers", "--file", "{folder}/Dockerfile", "--tag", "{tag}"),
}


@dataclass(frozen=True)
class Built:
    tag: str
    seconds: float


def main() -> int:
    options = parse()
    builder = options.builder or builder_here()
    built = []
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        version = wheel.name.split("-")[1]
        for number, image in enumerate(options.images or IMAGES, 1):
            tag = f"{options.prefix}/{image}:{options.tag or f'{version}-{options.device}'}"
            say(f"[{number}/{len(options.images or IMAGES)}] {tag}")
            built.append(build(builder, image, options.device, tag, wheel, version))
            if options.push:
                publish(builder, tag)
    for one in built:
        say(f"{one.tag:<60} {one.seconds:6.0f} s")
    return 0


def build(builder: str, image: str, device: str, tag: str, wheel: Path, version: str) -> Built:
    folder = context(image, device, wheel)
    lock = hashlib.sha256((folder / "requirements.txt").read_bytes()).hexdigest()
    apt = ROOT / "containers" / image / "apt.txt"
    system = " ".join(apt.read_text("utf-8").split()) if apt.is_file() else ""
    arguments = {"IMAGE": image, "DEVICE": device, "VERSION": version, "LOCK_SHA256": lock, "APT": system}
    started = time.monotonic()
    run(command(builder, folder, tag, arguments))
    return Built(tag, time.monotonic() - started)


def builder_here() -> str:
    found = next((name for name in BUILDERS if shutil.which(name)), None)
    return found or sys.exit("no docker, podman or buildah here: install one, or name your own with --builder")


def command(builder: str, folder: Path, tag: str, arguments: dict[str, str]) -> list[str]:
    """How `builder` is told to make the image `tag` of the Dockerfile in `folder`."""
    build_args = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    if builder not in BUILDERS:
        return [*shlex.split(builder), str(folder), tag, *build_args]
    return [*(part.format(folder=folder, tag=tag) for part in BUILDERS[builder]), *build_args, str(folder)]


def context(image: str, device: str, wheel: Path) -> Path:
    """dist/images/<image>: all that the build sees, and nothing else of this machine."""
    folder = ROOT / "dist" / "images" / image
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wheel").mkdir(parents=True)
    shutil.copy(ROOT / "containers" / "Dockerfile", folder)
    shutil.copy(wheel, folder / "wheel")
    lock = lock_of(image, device)
    shutil.copy(lock, folder / "requirements.txt")
    # A step's key holds the digest of its image's lock, so each image carries its own.
    target = folder / "project" / lock.relative_to(ROOT)
    target.parent.mkdir(parents=True)
    shutil.copy(lock, target)
    for name in PROJECT_FILES.get(image, ()):
        ignored = shutil.ignore_patterns("__pycache__", "*.py" if name == "containers" else "")
        shutil.copytree(ROOT / name, folder / "project" / name, dirs_exist_ok=True, ignore=ignored)
    return folder


def lock_of(image: str, device: str) -> Path:
    """An image that computes nothing on a GPU has one lock for both devices."""
    own = ROOT / "containers" / image / f"requirements.{device}.txt"
    return own if own.is_file() else own.with_name("requirements.cpu.txt")


def build_wheel(folder: Path) -> Path:
    run([str(ROOT / ".venv" / "bin" / "uv"), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)])
    return next(folder.glob("*.whl"))


def publish(builder: str, tag: str) -> None:
    """Push, then sign when there is a key. Raises SystemExit with what the tool said."""
    run([builder, "push", tag])
    if key := os.environ.get("COSIGN_KEY"):
        run(["cosign", "sign", "--yes", "--key", key, tag])


def run(command: list[str]) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}")


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the container images.")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"any of {', '.join(IMAGES)} (default: all)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="which lock the packages come from")
    parser.add_argument("--prefix", default="ratchet", help="what stands before /IMAGE:TAG; your registry")
    parser.add_argument("--tag", help="default: VERSION-DEVICE")
    parser.add_argument("--push", action="store_true", help="push, and sign with cosign where COSIGN_KEY names a key")
    parser.add_argument("--builder", help="docker, podman, buildah, or a command called as COMMAND FOLDER TAG ARGS…")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
