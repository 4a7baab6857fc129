"""How far the rows of earlier uploads moved: what a dataset's history says is usual."""

import json
from collections import defaultdict
from collections.abc import Sequence

from ratchet.clients.store import Store
from ratchet.core.datasets import DatasetVersion

NUM_RECEIPTS = 20


def usual_shifts(store: Store, versions: Sequence[DatasetVersion]) -> dict[str, tuple[float, ...]]:
    """The stability index of each feature (core.drift), as the newest receipts tell it, oldest first."""
    receipts = list(dict.fromkeys(version.receipt for version in versions))[-NUM_RECEIPTS:]
    usual = defaultdict(list)
    for receipt in receipts:
        changes = json.loads(store.read_bytes(receipt)).get("changes") or {"shifts": ()}
        for shift in changes["shifts"]:
            usual[shift["feature"]].append(shift["psi"])
    return {feature: tuple(values) for feature, values in usual.items()}
