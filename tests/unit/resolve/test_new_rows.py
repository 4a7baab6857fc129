import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.resolve.new_rows import count_new_rows


def _rows(path: Path, ids: list[str]) -> Path:
    path.write_text("".join(json.dumps({"id": i, "text": "x", "label": "y"}) + "\n" for i in ids), "utf-8")
    return path


@pytest.mark.parametrize(
    ("rows", "tuned_on", "num_new"),
    [
        ([], [], 0),
        (["a", "b"], [], 2),
        (["a", "b"], ["a", "b"], 0),
        (["b", "a"], ["a", "b"], 0),
        (["a", "c", "b"], ["a", "b"], 1),
        (["c"], ["a", "b"], 1),
    ],
    ids=["both empty", "all new", "none new", "another order", "one new", "rows were taken away"],
)
def test_new_rows_are_those_that_production_never_saw(
    tmp_path: Path, rows: list[str], tuned_on: list[str], num_new: int
) -> None:
    found = count_new_rows(_rows(tmp_path / "rows", rows), _rows(tmp_path / "tuned_on", tuned_on))

    assert found == num_new


@given(st.sets(st.text(min_size=1)), st.sets(st.text(min_size=1)))
def test_the_count_is_the_size_of_the_difference(
    tmp_path_factory: pytest.TempPathFactory, a: set[str], b: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("rows")

    assert count_new_rows(_rows(folder / "a", sorted(a)), _rows(folder / "b", sorted(b))) == len(a - b)
