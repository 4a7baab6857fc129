"""docs/faults.md names the test that shows each row, and the code of the failure that the test expects.

A test that was renamed must not leave its row behind; a failure without a row in core/failures.toml fails here.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from tests.fakes.failures import named_in

from ratchet.core.failures import failures

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "faults.md").read_text("utf-8")
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
CODED = re.findall(r"^\| [^|]+ \| [^|]+ \|([^|]*)\| `([\w/]+\.py)::(\w+)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_a_fault_is_shown_by_a_test_that_exists(file: str, test: str) -> None:
    assert test in functions_of(file)


def test_every_row_of_a_fault_names_its_test() -> None:
    after = PAGE[PAGE.index("## People") : PAGE.index("What is not survived")]
    rows = [line for line in after.splitlines() if line.startswith("|") and not re.match(r"\|(-|.*shown by)", line)]

    assert len(rows) == len(NAMED)


@pytest.mark.parametrize(("cell", "file", "test"), CODED, ids=[test for _, _, test in CODED])
def test_the_code_of_a_fault_is_the_one_that_its_test_expects(cell: str, file: str, test: str) -> None:
    codes = set(re.findall(r"`(\w+)`", cell))
    expected = named_in(functions_of(file)[test]) & set(failures())

    assert codes <= expected
    assert bool(codes) == bool(expected)


def test_every_row_but_those_of_many_faults_has_a_place_for_its_code() -> None:
    many = PAGE[PAGE.index("## Every call") : PAGE.index("## On real engines")].count("::")

    assert len(CODED) + many == len(NAMED)


@cache
def functions_of(file: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
