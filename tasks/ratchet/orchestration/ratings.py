"""Finds what people or a judge have said of this run's two models: looked up anew in each run, never remembered."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator

from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.preference import newest
from ratchet.core.refs import FolderRef
from ratchet.orchestration.operator import told_to_airflow


class NewestRatings(BaseOperator):
    """The gate's `ratings`. To judge a finished run anew after rating, clear this task, and with it those after it."""

    template_fields: Sequence[str] = ("candidate", "baseline")
    ui_color = "#e8f0fe"

    def __init__(self, *, candidate: Any, baseline: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate
        self.baseline = baseline

    @told_to_airflow()
    def execute(self, context: Any) -> list[dict[str, Any]]:  # noqa: ARG002 - Airflow's
        settings = load()
        candidate, baseline = (FolderRef.model_validate(model) for model in (self.candidate, self.baseline))
        records = World(settings, settings.scratch).preferences(candidate.sha256, baseline.sha256).records()
        found = newest(records)
        self.log.info("%s ratings of %s against %s", len(found), candidate.sha256[:12], baseline.sha256[:12])
        return [ref.model_dump(mode="json") for ref in found]
