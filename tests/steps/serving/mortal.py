"""A step's own process that dies by SIGKILL after one of its effects: nothing of it can clean up.

python -m tests.steps.serving.mortal NUMBER STEP INPUTS        (in the ops environment)

NUMBER 0 is the first effect. stdout has a line for each effect that there was.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ratchet.__main__ import main
from ratchet.clients.registry import MlflowRegistry

NUMBERS = itertools.count()
# What others see of a step: a record in the store, the router's file, a waiting event, MLflow's rows.
EFFECTS: tuple[tuple[Any, str], ...] = (
    (os, "link"),
    (Path, "rename"),
    (MlflowRegistry, "register"),
    (MlflowRegistry, "set_aliases"),
)


def mortal(name: str, effect: Callable[..., Any], dies_after: int) -> Callable[..., Any]:
    def burned(*args: Any, **options: Any) -> Any:
        result = effect(*args, **options)
        told = _told(args[1]) if isinstance(args[1], Path) else name
        os.write(1, f"{told}\n".encode())  # not sys.stdout, which a step's outputs own
        if next(NUMBERS) == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return burned


def _told(path: Path) -> str:
    """The router's file by its name, a record in the store by its kind."""
    parts = path.parts
    return parts[parts.index("store") + 1] if "store" in parts else path.name


if __name__ == "__main__":
    for owner, name in EFFECTS:
        setattr(owner, name, mortal(name, getattr(owner, name), int(sys.argv[1])))
    sys.exit(main(sys.argv[2:]))
