"""The Kubernetes API in memory, as far as Cluster asks it: merge patches, and refusals of writes that come too late."""

import copy
from typing import Any

from ratchet.clients.cluster import Absent, Conflict


class FakeCluster:
    """`objects` by (kind, name), `logs` by pod."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.pods: list[dict[str, Any]] = []
        self.logs: dict[str, str] = {}
        self.num_patches = 0

    def put(self, kind: str, name: str, spec: dict[str, Any], **status: Any) -> None:
        metadata = {"name": name, "resourceVersion": "1", "generation": 1}
        self.objects[kind, name] = {"metadata": metadata, "spec": spec, "status": status}

    def read(self, group: str, kind: str, name: str) -> dict[str, Any]:
        if (kind, name) not in self.objects:
            raise Absent(f"no {kind}/{name}")
        return copy.deepcopy(self.objects[kind, name])

    def find(self, group: str, kind: str, labels: str) -> list[dict[str, Any]]:
        return copy.deepcopy(self.pods)

    def patch(self, group: str, kind: str, name: str, change: dict[str, Any]) -> dict[str, Any]:
        found = self.objects[kind, name]
        asked = change.get("metadata", {}).get("resourceVersion")
        if asked not in (None, found["metadata"]["resourceVersion"]):
            raise Conflict(f"{kind}/{name} was changed")
        _merge(found, change)
        found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
        found["metadata"]["generation"] += 1
        self.num_patches += 1
        return copy.deepcopy(found)

    def log(self, pod: str, container: str, num_lines: int) -> str:
        if pod not in {one["metadata"]["name"] for one in self.pods}:
            raise Absent(f"no pods/{pod}")
        return self.logs.get(pod, f"log of {pod}/{container}")


def _merge(target: dict[str, Any], change: dict[str, Any]) -> None:
    """RFC 7396."""
    for name, value in change.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = copy.deepcopy(value)
