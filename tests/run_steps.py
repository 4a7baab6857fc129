"""Run tests/steps/<folder> with the interpreter of the image that the folder's step runs in."""

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from ratchet.clients.settings import Settings, load
from ratchet.steps import STEPS

ROOT = Path(__file__).parent.parent
# Folders that are not named after a step.
OTHERS = {"base_model": "train", "registry": "ops", "serving": "ops"}
# Its engines are shared by all its files, and its users are timed: nothing else runs beside it.
ALONE = {"serving"}
TOOLS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis")
# What only the tests of one image need: the official client, to ask the edge as users do.
TOOLS_OF = {"ops": ("openai",)}


def image_of(folder: Path) -> str:
    return STEPS[folder.name].image if folder.name in STEPS else OTHERS[folder.name]


def process_of(folder: Path) -> tuple[str, bool]:
    """Image, and whether it runs alone: what has the same is tested by one command."""
    return image_of(folder), folder.name in ALONE


def install_tools(settings: Settings, image: str) -> list[Path]:
    """Folders with tools beside the images' environments, not in them: they hold what their locks say."""
    folder = ROOT / settings.environments_dir
    tools = [folder / "pytest"]
    _install(tools[0], *TOOLS, "--constraint", ROOT / "tests" / "requirements.txt")
    if image in TOOLS_OF:
        tools.append(folder / f"pytest-{image}")
        # They come before the image's own packages: what is in both is of one version.
        _install(tools[-1], *TOOLS_OF[image], "--constraint", settings.lock(image))
    return tools


def _install(target: Path, *wanted: str | Path) -> None:
    """What is there already is left as it is, without asking an index."""
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "pip", "install", "--quiet", "--target", target, *wanted], check=True)


def main(chosen: list[str]) -> int:
    settings = load(ROOT / "ratchet.toml")
    folders = [f for f in (ROOT / "tests" / "steps").iterdir() if f.is_dir() and any(f.glob("test_*.py"))]
    wanted = sorted((f for f in folders if not chosen or f.name in chosen), key=lambda f: (*process_of(f), f.name))
    failed = []
    for (image, alone), group in groupby(wanted, key=process_of):
        names = [str(folder.relative_to(ROOT)) for folder in group]
        print(f"== {image}: {' '.join(names)}", flush=True)
        tools = os.pathsep.join(map(str, install_tools(settings, image)))
        environment = {**os.environ, "PYTHONPATH": tools, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment |= {"OMP_WAIT_POLICY": "PASSIVE"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [settings.python(image), "-m", "pytest", "--timeout", "900", "--durations", "5", *names]
        if not alone:
            command += ["--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            failed.append(image)
    if failed:
        print(f"failed in: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
