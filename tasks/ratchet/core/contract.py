"""The base of every record that crosses a process border: frozen, closed, and the same bytes for the same values."""

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class Contract(BaseModel):
    """Unknown fields and NaN are refused; instances are hashable when their fields are."""

    # What users wrote stays out of errors: they name the field, not its value.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=(), hide_input_in_errors=True
    )

    def canonical_json(self) -> bytes:
        """One spelling for one value: sorted keys, no spaces, UTF-8. This is what digests are taken of."""
        return canonical_json(self.model_dump(mode="json"))


def canonical_json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_json(value: Any) -> str:
    """Hex sha256 of the canonical JSON of `value` (a Contract or plain JSON data)."""
    return hashlib.sha256(value.canonical_json() if isinstance(value, Contract) else canonical_json(value)).hexdigest()
