"""A disk that fills up while rows are judged: a limit on the size of files stands in for it."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.steps.validate.conftest import LABELS, RULES, as_csv
from tests.steps.validate.files import parquet_of

from ratchet.clients.files import DiskFull
from ratchet.clients.world import World
from ratchet.validate.contract import ValidateInputs
from ratchet.validate.run import run

ROWS = [(f"My ticket {10007 + 30103 * n} is about cards", LABELS[n % 3]) for n in range(2000)]


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def csv_file(_: Path) -> bytes:
    return as_csv(ROWS)


def parquet_file(folder: Path) -> bytes:
    rows = [{"text": text, "label": label} for text, label in ROWS]
    return parquet_of(folder, rows, "{text: 'VARCHAR', label: 'VARCHAR'}")


@pytest.mark.parametrize(("name", "content"), [("up.csv", csv_file), ("up.parquet", parquet_file)])
def test_a_full_disk_is_worth_a_retry_and_leaves_nothing(
    world: World, tmp_path: Path, name: str, content: Callable[[Path], bytes]
) -> None:
    upload = world.store.put_bytes(content(tmp_path))
    before = set(world.store.keys(""))

    with files_of_at_most(upload.bytes + 1000), pytest.raises(DiskFull, match="bytes are free there") as caught:
        run(ValidateInputs(upload=upload, file_name=name, rules=RULES), world)

    assert caught.value.exit_code == 75
    assert str(world.settings.scratch) in str(caught.value)
    assert set(world.store.keys("")) == before
    assert list(world.settings.scratch.iterdir()) == []
