"""The receipt: what became of an upload, for the person who sent it."""

from collections.abc import Sequence
from typing import Any

from ratchet.core.refs import FileRef
from ratchet.validate.columns import Columns
from ratchet.validate.contract import Changes, ValidateInputs
from ratchet.validate.counts import Counts


def receipt(
    inputs: ValidateInputs,
    *,
    columns: Columns,
    counts: Counts,
    changes: Changes | None,
    refusals: Sequence[str],
    accepted: FileRef,
    quarantine: FileRef,
) -> dict[str, Any]:
    """Plain JSON data. `labels` are the accepted rows' most frequent labels."""
    return {
        "schema_version": 4,
        "status": "REFUSED" if refusals else "ACCEPTED",
        "refusals": list(refusals),
        "file": inputs.file_name,
        "upload": inputs.upload.model_dump(),
        "columns": {"text": columns.text, "label": columns.label, "quality_score": columns.quality},
        "num_read": counts.num_read,
        "num_accepted": counts.num_accepted,
        "num_quarantined": counts.num_quarantined,
        "num_redacted": counts.num_redacted,
        "num_warned": counts.num_warned,
        "num_labels": counts.num_labels,
        "reasons": [reason.model_dump(mode="json") for reason in counts.reasons],
        "labels": [{"label": label, "num_rows": num_rows} for label, num_rows in counts.labels],
        "changes": changes.model_dump(mode="json") if changes else None,
        "accepted": accepted.model_dump(),
        "quarantine": quarantine.model_dump(),
    }
