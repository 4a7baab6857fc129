"""Which colour has the users. STUB PROTOCOL: the owner of this file writes EnvoyRouter."""

from typing import Protocol

from pydantic import NonNegativeInt

from ratchet.core.contract import Contract
from ratchet.core.releases import Colour


class RouterState(Contract):
    """`weights` are percent of new requests per colour; `active` has the users, `previous` can be gone back to at once.

    `releases` names what each colour serves, as release id and model digest, so that roll-back needs only this record.
    """

    active: Colour
    previous: Colour | None
    weights: dict[Colour, NonNegativeInt]
    releases: dict[Colour, str]
    models: dict[Colour, str]
    ledger_seq: NonNegativeInt | None


class Router(Protocol):
    def read(self) -> RouterState | None:
        """The state in force; None before the first write."""
        ...

    def write(self, state: RouterState) -> None:
        """Make `state` the state in force, atomically; returns once the edge answers with it."""
        ...
