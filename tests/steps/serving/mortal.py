"""A step's own process that dies by SIGKILL at one of its effects: nothing of it can clean up, as when a machine fails.

python -m tests.steps.serving.mortal MOMENT STEP INPUTS        (in the ops environment)

MOMENT 0 is before the first effect, 1 after it, 2 before the second. stdout: a line for each moment that came.
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

MOMENTS = itertools.count()
# What others see of a step: a record in the store, the router's file, a waiting event, MLflow's rows.
EFFECTS: tuple[tuple[Any, str], ...] = (
    (os, "link"),
    (Path, "rename"),
    (MlflowRegistry, "register"),
    (MlflowRegistry, "set_aliases"),
)


def mortal(name: str, effect: Callable[..., Any], dies_at: int) -> Callable[..., Any]:
    def burned(*args: Any, **options: Any) -> Any:
        what = Path(args[1]).name if isinstance(args[1], Path) else name
        _reach(f"before {what}", dies_at)
        result = effect(*args, **options)
        _reach(f"after {what}", dies_at)
        return result

    return burned


def _reach(moment: str, dies_at: int) -> None:
    os.write(1, f"{moment}\n".encode())  # not sys.stdout, which a step's outputs own
    if next(MOMENTS) == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    for owner, name in EFFECTS:
        setattr(owner, name, mortal(name, getattr(owner, name), int(sys.argv[1])))
    sys.exit(main(sys.argv[2:]))
