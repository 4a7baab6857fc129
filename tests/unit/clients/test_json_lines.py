import json
import os
from pathlib import Path
from typing import Any

import pytest

from ratchet.clients.json_lines import find_last, newest_first


def anything(_: dict[str, Any]) -> bool:
    return True


def log(path: Path, *lines: dict[str, Any], rest: str = "") -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + rest)
    return path


def test_the_last_line_that_fits_is_found(tmp_path: Path) -> None:
    path = log(tmp_path / "a", {"id": "x", "n": 1}, {"id": "x", "n": 2}, {"id": "x", "n": 3}, {"id": "y", "n": 4})

    assert find_last([path], "id", "x", anything) == {"id": "x", "n": 3}
    assert find_last([path], "id", "x", lambda line: line["n"] < 3) == {"id": "x", "n": 2}


def test_the_first_file_that_has_one_is_enough(tmp_path: Path) -> None:
    older, newer = log(tmp_path / "a.1", {"id": "x", "n": 1}), log(tmp_path / "a", {"id": "x", "n": 2})
    os.utime(older, (1, 1))

    assert newest_first(tmp_path.glob("a*")) == [newer, older]
    assert find_last([newer, older], "id", "x", anything) == {"id": "x", "n": 2}


@pytest.mark.parametrize("value", ["", "x", 'a "quote"', "ä", "n", "\ud800"])
def test_only_the_field_itself_counts(tmp_path: Path, value: str) -> None:
    path = log(tmp_path / "a", {"other": value}, {"n": "id"}, {"id": f"{value}-more"})

    assert find_last([path], "id", value, anything) is None


def test_a_line_that_is_being_written_and_what_is_no_object_do_no_harm(tmp_path: Path) -> None:
    path = log(tmp_path / "a", {"id": "x"}, rest='["x"]\n{"id": "x", \n{"id": "x", "half')

    assert find_last([path], "id", "x", anything) == {"id": "x"}


def test_empty_files_and_those_that_went_meanwhile_have_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").touch()

    assert find_last([tmp_path / "a", tmp_path / "gone"], "id", "x", anything) is None
    assert newest_first([tmp_path / "gone"]) == []
