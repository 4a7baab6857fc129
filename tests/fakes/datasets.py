"""Uploads that validate has looked at, without validate: rows are named by a word."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ratchet.clients.world import World
from ratchet.core.datasets import DatasetVersion
from ratchet.core.refs import FileRef
from ratchet.intake.versions import Added, Sender, add_version
from ratchet.validate.contract import DataRules, ValidateInputs, ValidateOutputs

DATASET = "tickets"
RULES = DataRules(suite_json="{}")
MIA = Sender("mia")


def row(text: str, label: str = "refund") -> dict[str, str]:
    return {"id": hashlib.sha256(f"{text}\0{label}".encode()).hexdigest(), "text": text, "label": label}


def as_lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(fields).encode() + b"\n" for fields in rows)


def receipt(**fields: Any) -> bytes:
    """Of an accepted upload of a row, if nothing else is said."""
    digest = {"sha256": "ab" * 32, "bytes": 1}
    told = {
        **{"file": "up.csv", "status": "ACCEPTED", "refusals": [], "reasons": [], "labels": [], "changes": None},
        **dict.fromkeys(("num_read", "num_accepted"), 1),
        **dict.fromkeys(("num_quarantined", "num_redacted", "num_warned", "num_labels"), 0),
        "columns": {"text": "text", "label": "label", "quality_score": None},
        **dict.fromkeys(("upload", "accepted", "quarantine"), digest),
    }
    return json.dumps({**told, **fields}).encode()


def looked_at(
    world: World,
    texts: Sequence[str],
    file_name: str = "up.csv",
    status: Any = "ACCEPTED",
    changes: dict[str, Any] | None = None,
    **fields: Any,
) -> tuple[ValidateInputs, ValidateOutputs]:
    """What an upload of rows with these texts is to the intake. The same texts are the same bytes."""
    accepted = world.store.put_bytes(as_lines([row(text) for text in texts]))
    upload = world.store.put_bytes(b"text\n" + "\n".join(texts).encode())
    checked = ValidateOutputs(
        status=status,
        accepted=accepted,
        quarantine=world.store.put_bytes(b""),
        receipt=world.store.put_bytes(receipt(file=file_name, status=status, changes=changes)),
        page=world.store.put_bytes(b"<!doctype html>"),
        num_read=len(texts) + 2,
        num_accepted=len(texts),
        num_quarantined=2,
        num_redacted=0,
        num_warned=0,
        num_labels=1,
        reasons=(),
        changes=None,
        refusals=() if status == "ACCEPTED" else ("it has one label",),
    )
    return ValidateInputs(upload=upload, file_name=file_name, rules=RULES, **fields), checked


def hand_in(world: World, *texts: str, sender: Sender = MIA, file_name: str = "up.csv") -> Added:
    return add_version(world, DATASET, *looked_at(world, texts, file_name), sender)


def texts_of(world: World, rows: FileRef) -> list[str]:
    return [json.loads(line)["text"] for line in world.store.read_bytes(rows).splitlines()]


def newest(world: World) -> DatasetVersion:
    return world.datasets(DATASET).records()[-1]
