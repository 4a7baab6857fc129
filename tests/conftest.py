"""What tests of every kind may ask for. Each environment has what is imported here; the rest is imported late."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def engines_url() -> Iterator[str]:
    """Below it every model of a ReleaseWorld has an engine that answers."""
    from tests.fakes.release_world import answering

    with answering() as url:
        yield url


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Moto's real HTTP server, which takes every credential."""
    moto = pytest.importorskip("moto.server", reason="moto is installed with tests/requirements.txt")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3_secrets(tmp_path: Path) -> Path:
    """The folder with the files in which a bucket's credentials are."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "s3_access_key_id").write_text("key\n")
    (folder / "s3_secret_access_key").write_text("secret\n")
    return folder
