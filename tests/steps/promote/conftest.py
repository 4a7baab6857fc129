"""A candidate that is fine, and one that answers what nobody evaluated."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.events import sha
from tests.fakes.release_world import ReleaseWorld, answering


@pytest.fixture(scope="module")
def bad_url() -> Iterator[str]:
    with answering(bad=frozenset({sha("b")})) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, engines_url: str) -> ReleaseWorld:
    return ReleaseWorld(tmp_path, engines_url)


@pytest.fixture
def bad(tmp_path: Path, bad_url: str) -> ReleaseWorld:
    """The candidate answers what nobody evaluated."""
    return ReleaseWorld(tmp_path, bad_url)
