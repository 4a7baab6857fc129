"""How far the rows of earlier uploads moved: what a dataset's history says is usual."""

import json
from collections import defaultdict
from collections.abc import Sequence

from ratchet.clients.store import Store
from ratchet.core.datasets import DatasetVersion
from ratchet.core.drift import EMBEDDING
from ratchet.intake.embedding import embedding_of

NUM_RECEIPTS = 20


def usual_shifts(store: Store, versions: Sequence[DatasetVersion]) -> dict[str, tuple[float, ...]]:
    """How far each feature (core.drift) moved, as the newest receipts tell it, oldest first."""
    receipts = list(dict.fromkeys(version.receipt for version in versions))[-NUM_RECEIPTS:]
    usual = defaultdict(list)
    for receipt in receipts:
        told = json.loads(store.read_bytes(receipt))
        for shift in (told.get("changes") or {"shifts": ()})["shifts"]:
            usual[shift["feature"]].append(shift["psi"])
        if embedding := embedding_of(told):
            usual[EMBEDDING].append(embedding.distance)
    return {feature: tuple(values) for feature, values in usual.items()}
