"""A step whose code changed must say so, or old results would be found for new code: its revision is in the memo key.

When this fails: does the change alter what the step puts out for the same inputs? Then raise `revision` in steps.py.
Either way re-record with RECORD=1 .venv/bin/pytest tests/contracts; the diff shows what was decided.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from ratchet.steps import STEPS

RECORDED = Path(__file__).parent / "revisions.json"
SHARED = ("ratchet.core.", "ratchet.clients.tokenizer")
PACKAGE = Path(__file__).parent.parent.parent / "tasks" / "ratchet"


def shared_modules(paths: Iterable[Path]) -> set[Path]:
    """The modules that steps share and that these import, and those that they import in turn."""
    found: set[Path] = set()
    waiting = [path for path in paths if path.suffix == ".py"]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop().read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(SHARED):
                module = PACKAGE.joinpath(*(node.module or "").split(".")[1:]).with_suffix(".py")
                if module not in found:
                    found.add(module)
                    waiting.append(module)
    return found


def source_digest(folder: Path) -> str:
    """Digest of the step's code, blind to comments and layout; templates and the like count byte by byte."""
    digest = hashlib.sha256()
    own = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    for path in [*own, *sorted(shared_modules(own))]:
        content = path.read_text("utf-8")
        digest.update(path.name.encode())
        digest.update((ast.dump(ast.parse(content)) if path.suffix == ".py" else content).encode())
    return digest.hexdigest()[:16]


def test_a_changed_step_has_a_new_revision_or_a_reviewed_record() -> None:
    actual = {
        name: {"revision": step.revision, "source": source_digest(PACKAGE / name)}
        for name, step in STEPS.items()
        if not step.acts
    }
    if os.environ.get("RECORD"):
        RECORDED.write_text(json.dumps(actual, indent=1) + "\n", "utf-8")

    assert json.loads(RECORDED.read_text("utf-8")) == actual
