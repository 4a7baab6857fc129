"""What tests of every kind may ask for. Each environment has what is imported here; the rest is imported late."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def engines_url() -> Iterator[str]:
    """Below it every model of a ReleaseWorld has an engine that answers."""
    from tests.fakes.release_world import answering

    with answering() as url:
        yield url
