"""What the drift step says of an upload joins its receipt: people read it there, and the next upload's history does."""

import json
from collections.abc import Mapping
from typing import Any

from ratchet.clients.store import Store
from ratchet.core.contract import canonical_json
from ratchet.core.drift import Distance
from ratchet.validate.contract import ValidateOutputs
from ratchet.validate.page import render


def with_embedding(store: Store, checked: ValidateOutputs, embedding: Distance | None) -> ValidateOutputs:
    """`checked` with a receipt and a page that tell it too; as it was where there was nothing to compare."""
    told = json.loads(store.read_bytes(checked.receipt))
    if embedding is None or not told["changes"]:
        return checked
    told["changes"]["embedding"] = embedding.model_dump(mode="json")
    joined = {"receipt": store.put_bytes(canonical_json(told)), "page": store.put_bytes(render(told))}
    return checked.model_copy(update=joined)


def embedding_of(receipt: Mapping[str, Any]) -> Distance | None:
    told = (receipt.get("changes") or {}).get("embedding")
    return Distance.model_validate(told) if told else None
