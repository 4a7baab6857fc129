"""An imported task has both files or none."""

from pathlib import Path

import pytest

from ratchet.evaluate.stock.files import AlreadyThere, check_free, write_pair

CONFIG, ROWS = "# made today\ntask: t\n", b'{"id": "t/0"}\n'


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_both_are_written_and_nothing_else(tmp_path):
    write_pair(tmp_path / "tasks", "t", CONFIG, ROWS, force=False)

    assert contents(tmp_path / "tasks") == {"t.yaml": CONFIG.encode(), "t.jsonl": ROWS}


def test_both_that_are_there_are_replaced_only_by_force(tmp_path):
    write_pair(tmp_path, "t", CONFIG, ROWS, force=False)

    with pytest.raises(AlreadyThere, match=r"t\.yaml and t\.jsonl are there already: --force"):
        check_free(tmp_path, "t")

    write_pair(tmp_path, "t", "task: u\n", b"{}\n", force=True)
    assert contents(tmp_path) == {"t.yaml": b"task: u\n", "t.jsonl": b"{}\n"}


def test_a_settings_file_alone_may_stay_if_it_says_the_same(tmp_path):
    (tmp_path / "t.yaml").write_text("# made last year\ntask: t\n")

    write_pair(tmp_path, "t", CONFIG, ROWS, force=False)

    assert contents(tmp_path) == {"t.yaml": CONFIG.encode(), "t.jsonl": ROWS}


@pytest.mark.parametrize(("name", "content"), [("t.yaml", "task: other\n"), ("t.jsonl", '{"id": "mine"}\n')])
def test_one_that_says_something_else_stays_as_it_is(tmp_path, name, content):
    (tmp_path / name).write_text(content)

    with pytest.raises(AlreadyThere, match=rf"{name} is there already .*--force"):
        write_pair(tmp_path, "t", CONFIG, ROWS, force=False)

    assert contents(tmp_path) == {name: content.encode()}


@pytest.mark.parametrize("before", [{}, {"t.jsonl": b"old\n"}])
def test_where_the_second_cannot_be_put_in_place_the_first_is_taken_back(tmp_path, before):
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "t.yaml").mkdir()  # nothing can be renamed to a folder

    with pytest.raises(OSError, match=r"t\.yaml"):
        write_pair(tmp_path, "t", CONFIG, ROWS, force=True)

    (tmp_path / "t.yaml").rmdir()
    assert contents(tmp_path) == before
