"""An empty ledger, and other hands that write to it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import RELEASED

from ratchet.clients.bucket import LocalBucket
from ratchet.clients.ledger import Ledger
from ratchet.clients.store import Store
from ratchet.core.contract import canonical_json
from ratchet.core.releases import LedgerEvent


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(LocalBucket(tmp_path / "store"), tmp_path / "scratch")


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store, "support")


def always(entry: LedgerEvent) -> Callable[[Sequence[LedgerEvent]], LedgerEvent]:
    return lambda events: entry


def fill(ledger: Ledger, events: Sequence[LedgerEvent] = RELEASED) -> None:
    """By another process: what `ledger` says it has read from the store."""
    writer = Ledger(ledger.store, ledger.line)
    for entry in events:
        writer.append(always(entry))


def path_of(store: Store, seq: int) -> Path:
    assert isinstance(store.bucket, LocalBucket)
    return store.bucket.root / f"ledger/support/{seq:08}.json"


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_bytes())
    change(content)
    path.chmod(0o644)
    path.write_bytes(canonical_json(content))
