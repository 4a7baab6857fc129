"""Faults at the border: any call of any method of a client can fail, before or after its effect, land late, or twice.

The methods are those of the client's Protocol, so one that is added there is covered at once.
"""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from ratchet.clients.bucket import Bucket, StoreAway
from ratchet.clients.engine import Engine
from ratchet.clients.registry import Registry, RegistryUnavailable
from ratchet.clients.router import EdgeLags, Router
from ratchet.clients.supervisor import SupervisorAway
from ratchet.core.errors import RatchetError

# "before": nothing happened; "after": it happened, but the answer was lost; "late": the caller gave up, and it happens
# just before the next call of the same client; "twice": the request was delivered again, and the second answer counts.
Kind = Literal["before", "after", "late", "twice"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# What each client is, and how its real classes say that nobody answered.
CLIENTS: dict[str, tuple[type, type[RatchetError]]] = {
    "bucket": (Bucket, StoreAway),
    "router": (Router, EdgeLags),
    "engine": (Engine, SupervisorAway),
    "registry": (Registry, RegistryUnavailable),
}


@dataclass(frozen=True)
class Call:
    """The `number`-th call, from 0, of that method since the plan was made."""

    client: str
    method: str
    number: int


Plan = Callable[[Call], Kind | None]


def fair_weather(_call: Call) -> Kind | None:
    return None


def only(struck: Call, kind: Kind) -> Plan:
    return lambda call: kind if call == struck else None


def seeded(seed: int, rate: float) -> Plan:
    """Each call has a fault with probability `rate`; the same seed strikes the same calls."""
    rng = random.Random(seed)
    return lambda _call: rng.choice(KINDS) if rng.random() < rate else None


class Faults:
    """What strikes the clients that it wraps. It remembers the calls since the last plan, and those that it struck."""

    def __init__(self) -> None:
        self.follow(fair_weather)

    def follow(self, plan: Plan) -> None:
        self.plan = plan
        self.calls: list[Call] = []
        self.struck: list[Call] = []
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._late: list[tuple[str, Callable[[], Any]]] = []

    def clear(self) -> None:
        """The fault is gone; what was under way lands now."""
        for client in CLIENTS:
            self._land(client)
        self.follow(fair_weather)

    def wrap(self, client: str, real: Any) -> Any:
        return _Faulty(client, real, self, methods(CLIENTS[client][0]))

    def call(self, client: str, method: str, effect: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        self._land(client)
        call = Call(client, method, self._numbers[client, method])
        self._numbers[client, method] += 1
        self.calls.append(call)
        kind = self.plan(call)
        if kind is None:
            return effect(*args)
        self.struck.append(call)
        if kind == "twice":
            with suppress(Exception):  # the first answer is lost
                effect(*args)
            return effect(*args)
        if kind == "after":
            effect(*args)
        if kind == "late":
            sent = tuple(_as_sent(arg) for arg in args)
            self._late.append((client, lambda: effect(*sent)))
        raise CLIENTS[client][1](f"{client}.{method} did not answer ({kind})")

    def _land(self, client: str) -> None:
        due = [effect for of, effect in self._late if of == client]
        self._late = [(of, effect) for of, effect in self._late if of != client]
        for effect in due:
            with suppress(Exception):  # nobody waits for its answer
                effect()


class _Faulty:
    def __init__(self, client: str, real: Any, faults: Faults, names: tuple[str, ...]) -> None:
        self._client, self._real, self._faults, self._names = client, real, faults, names

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in self._names:
            return found
        return lambda *args, **named: self._faults.call(self._client, name, partial(found, **named), args)


def methods(protocol: type) -> tuple[str, ...]:
    """Its own and those that it inherits."""
    found = {
        name
        for base in protocol.__mro__
        if base is not Protocol
        for name, value in vars(base).items()
        if callable(value)
    }
    return tuple(sorted(name for name in found if not name.startswith("_")))


def _as_sent(arg: Any) -> Any:
    """A file's content travels with its request, whatever becomes of the file."""
    if not (isinstance(arg, Path) and arg.is_file()):
        return arg
    kept = Path(tempfile.mkdtemp(dir=arg.parent.parent)) / arg.name
    shutil.copyfile(arg, kept)
    return kept
