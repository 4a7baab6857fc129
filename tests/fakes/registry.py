"""A registry in memory, held to the same tests as MLflow (tests/steps/registry)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ratchet.clients.registry import (
    PREVIOUS,
    PRODUCTION,
    MetricRecord,
    RegistryRefused,
    RegistryUnavailable,
)
from ratchet.core.refs import FolderRef


@dataclass
class FakeRun:
    line: str
    key: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    metrics: set[tuple[str, float, int, int]] = field(default_factory=set)
    finished: bool = False


@dataclass
class FakeVersion:
    sha256: str
    uri: str
    tags: dict[str, str]


class FakeRegistry:
    """Set `away` to make every call fail as an outage does."""

    def __init__(self) -> None:
        self.away = False
        self.runs: dict[str, FakeRun] = {}
        self.versions: dict[str, list[FakeVersion]] = {}
        self._aliases: dict[str, dict[str, str]] = {}

    def open_run(self, line: str, key: str, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        self._answer()
        found = next((id_ for id_, run in self.runs.items() if (run.line, run.key) == (line, key)), None)
        run_id = found or f"run-{len(self.runs)}"
        run = self.runs.setdefault(run_id, FakeRun(line, key, dict(tags)))
        if any(run.params.get(name, value) != value for name, value in params.items()):
            raise RegistryRefused(f"a param of {run_id} cannot change")
        run.params.update(params)
        run.finished = False
        return run_id

    def log_metrics(self, run_id: str, records: Sequence[MetricRecord]) -> None:
        run = self._run(run_id)
        run.metrics |= {
            (name, value, record.at_ms, record.step) for record in records for name, value in record.metrics.items()
        }

    def finish_run(self, run_id: str) -> None:
        self._run(run_id).finished = True

    def register(self, line: str, model: FolderRef, tags: Mapping[str, str], run_id: str | None = None) -> str:
        self._answer()
        versions = self.versions.setdefault(line, [])
        if self._version(line, model.sha256) is None:
            versions.append(FakeVersion(model.sha256, model.uri, dict(tags)))
        return str(self._version(line, model.sha256))

    def set_aliases(self, line: str, production_sha256: str, previous_sha256: str | None) -> None:
        self._answer()
        wanted = {PRODUCTION: production_sha256} | ({PREVIOUS: previous_sha256} if previous_sha256 else {})
        for sha256 in wanted.values():
            if self._version(line, sha256) is None:
                raise RegistryRefused(f"no version of {line} with model {sha256[:12]}")
        self._aliases[line] = wanted

    def aliases(self, line: str) -> dict[str, str]:
        self._answer()
        return dict(self._aliases.get(line, {}))

    def _version(self, line: str, sha256: str) -> int | None:
        known = [version.sha256 for version in self.versions.get(line, [])]
        return known.index(sha256) + 1 if sha256 in known else None

    def _run(self, run_id: str) -> FakeRun:
        self._answer()
        if run_id not in self.runs:
            raise RegistryRefused(f"no run {run_id}")
        return self.runs[run_id]

    def _answer(self) -> None:
        if self.away:
            raise RegistryUnavailable("the registry is away")
