"""Everything outside a step, built when first used: a step that reads no registry needs no registry."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ratchet.clients.bucket import Bucket, LocalBucket
from ratchet.clients.settings import Settings
from ratchet.clients.store import Store
from ratchet.core.refs import FolderRef

if TYPE_CHECKING:
    from ratchet.clients.cluster import Cluster
    from ratchet.clients.engine import Engine
    from ratchet.clients.ledger import Journal, Ledger
    from ratchet.clients.registry import Registry
    from ratchet.clients.router import Router
    from ratchet.core.costs import CostRecord
    from ratchet.core.datasets import DatasetVersion
    from ratchet.core.drifts import Drift
    from ratchet.core.drills import Drill
    from ratchet.core.feedback import FeedbackReview
    from ratchet.core.notices import Notice
    from ratchet.core.preference import Rated
    from ratchet.core.quality import Quality

    AnyJournal = TypeVar("AnyJournal", bound=Journal[Any])


class World:
    """A step's outside world.

    `work` is a folder that outlives a killed attempt of the same work (checkpoints); it is named after the step's key.
    """

    def __init__(self, settings: Settings, work: Path) -> None:
        self.settings = settings
        self.work = work
        self._journals: dict[str, Any] = {}

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that is gone afterwards."""
        self.settings.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.settings.scratch) as folder:
            yield Path(folder)

    @cached_property
    def store(self) -> Store:
        return Store(bucket_of(self.settings), self.settings.scratch)

    def base(self, name: str) -> FolderRef | None:
        """The model that recipes name as their base; None before `ratchet up` or `ratchet import-base` stored it."""
        record = self.store.get(_base_key(name))
        return FolderRef.model_validate_json(record) if record else None

    def name_base(self, name: str, model: FolderRef) -> FolderRef:
        """A name is given once: says which model has it."""
        self.store.create(_base_key(name), model)
        return self.base(name) or model

    def ledger(self, line: str) -> "Ledger":
        from ratchet.clients.ledger import Ledger

        return self._kept(Ledger(self.store, line))

    def datasets(self, dataset: str) -> "Journal[DatasetVersion]":
        from ratchet.clients.ledger import dataset_journal

        return self._kept(dataset_journal(self.store, dataset))

    def preferences(self, candidate_sha256: str, baseline_sha256: str) -> "Journal[Rated]":
        from ratchet.clients.ledger import preference_journal

        return preference_journal(self.store, candidate_sha256, baseline_sha256)

    def drills(self, line: str) -> "Journal[Drill]":
        from ratchet.clients.ledger import drill_journal

        return self._kept(drill_journal(self.store, line))

    def drifts(self, line: str) -> "Journal[Drift]":
        from ratchet.clients.ledger import drift_journal

        return self._kept(drift_journal(self.store, line))

    def quality(self, line: str) -> "Journal[Quality]":
        from ratchet.clients.ledger import quality_journal

        return self._kept(quality_journal(self.store, line))

    def costs(self, line: str) -> "Journal[CostRecord]":
        from ratchet.clients.ledger import cost_journal

        return self._kept(cost_journal(self.store, line))

    def notices(self, line: str) -> "Journal[Notice]":
        from ratchet.clients.ledger import notice_journal

        return self._kept(notice_journal(self.store, line))

    def feedback(self, line: str) -> "Journal[FeedbackReview]":
        """What was decided of feedback; what was said is in a folder of this machine (serving/feedback)."""
        from ratchet.clients.ledger import feedback_journal

        return self._kept(feedback_journal(self.store, line))

    def _kept(self, journal: "AnyJournal") -> "AnyJournal":
        """The same one each time: it keeps what it has read."""
        kept: AnyJournal = self._journals.setdefault(journal.prefix, journal)
        return kept

    @cached_property
    def registry(self) -> "Registry":
        from ratchet.clients.registry import MlflowRegistry

        return MlflowRegistry(self.settings.mlflow_url)

    @cached_property
    def cluster(self) -> "Cluster":
        from ratchet.clients.cluster import Cluster

        return Cluster(self.settings.kubernetes)

    @cached_property
    def router(self) -> "Router":
        if self.settings.runtime == "kubernetes":
            from ratchet.clients.kubernetes_router import GatewayRouter, ServiceRouter

            kind = GatewayRouter if self.settings.kubernetes.router == "gateway" else ServiceRouter
            return kind(self.settings, self.cluster)
        from ratchet.clients.router import EnvoyRouter

        return EnvoyRouter(self.settings.state / "router", self.settings.ports)

    @cached_property
    def engine(self) -> "Engine":
        if self.settings.runtime == "kubernetes":
            from ratchet.clients.kubernetes_engine import KubernetesVllm

            return KubernetesVllm(self.settings, self.cluster)
        from ratchet.clients.engine import SupervisedVllm

        return SupervisedVllm(self.settings, self.store)


def _base_key(name: str) -> str:
    return f"bases/{name}.json"


def bucket_of(settings: Settings) -> Bucket:
    if settings.store.kind == "s3":
        from ratchet.clients.s3 import S3Bucket

        return S3Bucket(settings.store, settings.secrets)
    return LocalBucket(settings.state / "store")
