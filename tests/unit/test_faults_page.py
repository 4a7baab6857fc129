"""docs/faults.md names the test that shows each row; a test that was renamed must not leave it behind."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs" / "faults.md").read_text("utf-8"))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_a_fault_is_shown_by_a_test_that_exists(file: str, test: str) -> None:
    assert f"def {test}(" in (ROOT / "tests" / file).read_text("utf-8")


def test_every_row_of_a_fault_names_its_test() -> None:
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    after = page[page.index("## People") : page.index("What is not survived")]
    rows = [line for line in after.splitlines() if line.startswith("|") and not re.match(r"\|(-|.*shown by)", line)]

    assert len(rows) == len(NAMED)
