"""Every kind of failure in the code, read from its source: no environment can import all of it at once."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent.parent / "tasks" / "ratchet"
ROOT = "RatchetError"
# What these say of themselves is too little for a class of its own.
GENERAL = ("TerminalError", "TransientError")


@dataclass(frozen=True)
class Kind:
    """A class of errors; `code` is its own, or that of the family that it belongs to; None when it has neither."""

    name: str
    path: Path
    code: str | None


@cache
def sources() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def kinds() -> tuple[Kind, ...]:
    return tuple(
        Kind(node.name, path.relative_to(PACKAGE), None if node.name == ROOT else _code(path, node))
        for path, node in _classes()
        if _is_failure(path, node) and node.name != ROOT
    )


def codes_of(name: str) -> set[str]:
    """Of all kinds with that name: two steps may each have a BadRows."""
    return {kind.code for kind in kinds() if kind.name == name and kind.code}


def words() -> set[str]:
    """Every text that stands by itself in the code."""
    return {
        node.value
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def raised(name: str) -> Iterator[tuple[Path, int]]:
    """Where the code says `raise NAME(…)`: file and line."""
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) == name:
                yield path.relative_to(PACKAGE), node.lineno


@cache
def _classes() -> tuple[tuple[Path, ast.ClassDef], ...]:
    return tuple(
        (path, node) for path, tree in sources().items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    )


def _bases(path: Path, node: ast.ClassDef) -> list[tuple[Path, ast.ClassDef]]:
    """Of a base that several modules have, the one beside it is meant."""
    found = []
    for base in node.bases:
        same = [(where, other) for where, other in _classes() if other.name == ast.unparse(base)]
        found += [(where, other) for where, other in same if where == path] or same
    return found


def _is_failure(path: Path, node: ast.ClassDef) -> bool:
    return node.name == ROOT or any(_is_failure(*base) for base in _bases(path, node))


def _code(path: Path, node: ast.ClassDef) -> str | None:
    for statement in node.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "code":
            return str(ast.literal_eval(statement.value))
    families = [base for base in _bases(path, node) if base[1].name not in (*GENERAL, ROOT)]
    return next((code for base in families if _is_failure(*base) and (code := _code(*base))), None)


def named_in(test: ast.FunctionDef) -> set[str]:
    """The codes that a test expects: those of the kinds of failure that it names, and those that it spells."""
    known = {kind.name for kind in kinds()} - {*GENERAL, ROOT}
    said, spelled = set(), ""
    for node in ast.walk(test):
        if isinstance(node, ast.Name | ast.Attribute):
            said.add(ast.unparse(node).rpartition(".")[2])
        if isinstance(node, ast.Constant):
            spelled += f" {node.value}"
    return {code for name in said & known for code in codes_of(name)} | set(re.findall(r"[A-Z_]{3,}", spelled))
