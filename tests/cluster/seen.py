"""The pods of steps, watched from outside while something runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.bench import Bench

COMPONENT = "app.kubernetes.io/component=step"


@dataclass
class Seen:
    """Every step pod that was there while the block ran, as last seen, by name."""

    pods: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, step: str) -> list[dict[str, Any]]:
        return [pod for pod in self.pods.values() if pod["metadata"]["labels"]["ratchet.dev/step"] == step]


@contextmanager
def watching(bench: Bench) -> Iterator[Seen]:
    seen, stop = Seen(), threading.Event()

    def watch() -> None:
        while not stop.wait(0.7):
            for pod in bench.pods(COMPONENT):
                seen.pods[pod["metadata"]["name"]] = pod

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
