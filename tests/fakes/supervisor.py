"""A supervisor in memory, held to the same tests as supervisord itself (tests/unit/clients/test_supervisor.py)."""

import time

from ratchet.clients.supervisor import Process


class FakeSupervisor:
    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.ended_at: dict[str, float] = {}
        self.written: dict[str, str] = {}
        self.calls: list[str] = []

    def process(self, name: str) -> Process:
        return Process(state=self.states.get(name, "STOPPED"), ended_at=self.ended_at.get(name, 0.0))

    def start(self, name: str) -> None:
        self.calls.append(f"start {name}")
        self.states[name] = "RUNNING"

    def stop(self, name: str) -> None:
        self.calls.append(f"stop {name}")
        if self.process(name).runs:
            self.ended_at[name] = float(int(time.time()))  # supervisord tells whole seconds
        self.states[name] = "STOPPED"

    def tail(self, name: str) -> str:
        return self.written.get(name, "")

    def crash(self, name: str, log: str, restarted: bool = False) -> None:
        """The program ended by itself a second from now, so that it is after what the test just did."""
        self.written[name] = log
        self.ended_at[name] = time.time() + 1
        self.states[name] = "STARTING" if restarted else "EXITED"
