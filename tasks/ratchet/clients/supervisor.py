"""The process supervisor of the embedded platform (supervisord), spoken to over its unix socket."""

import http.client
import socket
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ratchet.core.errors import TerminalError, TransientError

# Longer than supervisord waits for a program to stop before it kills it.
TIMEOUT_SECONDS = 90.0
# Faults of supervisord that mean "it is so already".
NOT_RUNNING, ALREADY_STARTED = 70, 60
TAIL_BYTES = 65536  # an engine's processes each tell the whole story of what ended them

Result = TypeVar("Result")


class SupervisorAway(TransientError, ConnectionError):
    """The platform is not up."""

    code = "SERVE_NOT_READY"


class ProgramRefused(TerminalError, RuntimeError):
    """The supervisor does not know the program, or cannot start it."""

    code = "SERVE_DIED"


@dataclass(frozen=True)
class Process:
    """`state` is supervisord's word (RUNNING, STARTING, BACKOFF, EXITED, FATAL, STOPPED, …).

    `ended_at` is when the program last ended, in seconds since the epoch; 0 if it never did.
    """

    state: str
    ended_at: float

    @property
    def runs(self) -> bool:
        return self.state in ("STARTING", "RUNNING")

    @property
    def gave_up(self) -> bool:
        return self.state in ("BACKOFF", "EXITED", "FATAL")


class Supervisor(Protocol):
    def process(self, name: str) -> Process: ...

    def start(self, name: str) -> None:
        """Returns at once. Does nothing when it runs."""
        ...

    def stop(self, name: str) -> None:
        """Returns when it is gone. Does nothing when it does not run."""
        ...

    def tail(self, name: str) -> str:
        """The end of what the program wrote."""
        ...


@dataclass(frozen=True)
class ProgramState:
    """One program as a person wants to see it; `state` in lower case."""

    name: str
    state: str
    detail: str


class SupervisorRpc:
    def __init__(self, socket_path: Path) -> None:
        self.socket_path = socket_path

    def programs(self) -> list[ProgramState]:
        found: Any = self._call(lambda rpc: rpc.getAllProcessInfo(), "all programs")
        return [ProgramState(str(p["name"]), str(p["statename"]).lower(), str(p["description"])) for p in found]

    def process(self, name: str) -> Process:
        found: Any = self._call(lambda rpc: rpc.getProcessInfo(name), name)
        return Process(state=str(found["statename"]), ended_at=float(found["stop"]))

    def start(self, name: str) -> None:
        self._call(lambda rpc: rpc.startProcess(name, False), name, harmless=ALREADY_STARTED)

    def stop(self, name: str) -> None:
        self._call(lambda rpc: rpc.stopProcess(name, True), name, harmless=NOT_RUNNING)

    def tail(self, name: str) -> str:
        written: Any = self._call(lambda rpc: rpc.tailProcessStdoutLog(name, 0, TAIL_BYTES), name)
        return str(written[0])

    def _call(self, call: Callable[[Any], Result], name: str, harmless: int | None = None) -> Result | None:
        transport = _UnixTransport(self.socket_path)
        with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as proxy:
            try:
                return call(proxy.supervisor)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode == harmless:
                    return None
                raise ProgramRefused(
                    f"the supervisor refuses {name}: {fault.faultString}; `ratchet down` and `ratchet up` write its "
                    "programs anew"
                ) from fault
            except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
                raise SupervisorAway(
                    f"the platform's supervisor does not answer on {self.socket_path} ({error}): is the platform up? "
                    "`ratchet up` starts it"
                ) from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, _host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self.path)
