"""A platform that `ratchet verify` asks as in life: files, HTTP, the ledger's own files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fakes.mlflow import Registered
from tests.fakes.mlflow import answering as registry_answering
from tests.fakes.serving_world import ServingWorld, goes_live, serving_world

from ratchet.clients.bucket import LocalBucket
from ratchet.clients.settings import Settings
from ratchet.clients.verification import gather
from ratchet.core.refs import FolderRef
from ratchet.core.verification import Row, verify


@dataclass
class Platform:
    place: ServingWorld
    registered: Registered
    model: FolderRef

    @property
    def files(self) -> Path:
        return self.place.world.settings.state / "serving" / "models" / self.model.sha256

    def ledger_file(self, seq: int) -> Path:
        bucket = self.place.world.store.bucket
        assert isinstance(bucket, LocalBucket)
        return bucket.root / f"ledger/support/{seq:08}.json"

    def rows(self) -> dict[str, Row]:
        settings = self.place.world.settings
        url = settings.users_url if settings.runtime == "kubernetes" else self.place.router.base_url
        return {row.what: row for row in verify(gather(self.place.world, "support", url))}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """Release "b" was approved and is live on green, with real files; "a", the base, waits on blue."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"\x00\x01\x02\x03")
    registered = Registered()
    with serving_world(tmp_path) as place, registry_answering(registered) as mlflow:
        model = place.world.store.put_folder(weights)
        place.world.settings = Settings(root=tmp_path, tracking_uri=mlflow)
        made = Platform(place, registered, model)
        place.world.store.fetch_folder(model, made.files)
        goes_live(place, registered, model)
        yield made
