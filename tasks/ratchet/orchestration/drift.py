"""The tasks around the drift step: find what is compared with what, and tell people and a release that it moved."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from ratchet.clients.captured import digest_of, exchanges
from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.drifts import Drift, is_news, usual_of
from ratchet.core.releases import production
from ratchet.drift.contract import Captured
from ratchet.orchestration.messages import about_drift
from ratchet.orchestration.notify import send
from ratchet.orchestration.operator import told_to_airflow

# Of users' texts: whole days, so that a day of few is no drift of its own; and enough of them to say something.
LIVE_DAYS = 7
MIN_TEXTS = 100


def drift_asset(line: str) -> Asset:
    """What a look that found drift emits an event of, and what a release may wait for."""
    uri = f"ratchet://drifts/{line}"
    return Asset(name=uri, uri=uri)


class FindBase(BaseOperator):
    """The base model, which compares an upload with the rows before; skipped while there is nothing to compare."""

    template_fields: Sequence[str] = ("previous",)

    def __init__(self, *, base: str, previous: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.base = base
        self.previous = previous

    @told_to_airflow()
    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002 - Airflow's
        if not self.previous:
            raise AirflowSkipException("the dataset begins with this file: there is nothing to compare it with")
        return _base(_world(), self.base)


class LookAtUsers(BaseOperator):
    """What users asked on the last whole days, and what production was trained on: the inputs of drift."""

    def __init__(self, *, line: str, dataset: str, base: str, **kwargs: Any) -> None:
        super().__init__(multiple_outputs=True, **kwargs)
        self.line = line
        self.dataset = dataset
        self.base = base

    @told_to_airflow()
    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002 - Airflow's
        world, today = _world(), datetime.now(UTC).date()
        live = production(world.ledger(self.line).events())
        versions = world.datasets(self.dataset).records()
        tuned_on = next((v for v in versions if live and v.rows.sha256 == live.dataset_sha256), None)
        if live is None or tuned_on is None:
            raise AirflowSkipException(f"production of {self.line} was trained on no version of {self.dataset} yet")
        current, num_texts = _captured(world, today - timedelta(days=LIVE_DAYS), today - timedelta(days=1))
        return {
            "reference": tuned_on.rows.model_dump(mode="json"),
            "current": current.model_dump(mode="json"),
            "base": _base(world, self.base),
            "usual": usual_of(world.drifts(self.line).records()),
            "release_id": live.release_id,
            "dataset_sha256": tuned_on.rows.sha256,
            "num_texts": num_texts,
        }


class TellDrift(BaseOperator):
    """Record the look, send a message of what is new, emit an event of what drifted. Skipped when nothing did.

    Args:
        looked: what LookAtUsers put out.
        found: `shifts` and `embedding` of the drift step.
    """

    template_fields: Sequence[str] = ("looked", "found")

    def __init__(self, *, line: str, looked: Any, found: dict[str, Any], **kwargs: Any) -> None:
        self.asset = drift_asset(line)
        super().__init__(outlets=[self.asset], **kwargs)
        self.line = line
        self.looked = looked
        self.found = found

    @told_to_airflow()
    def execute(self, context: Any) -> None:
        world, run_id = _world(), context["run_id"]
        look = Drift(
            line=self.line,
            at=datetime.now(UTC),
            run_id=run_id,
            **{name: self.looked[name] for name in ("release_id", "dataset_sha256", "num_texts")},
            **{name: self.looked["current"][name] for name in ("first_day", "last_day")},
            **self.found,
        )
        journal = world.drifts(self.line)
        # Recorded, then told: who is killed between the two has told nobody, and nobody is told twice.
        written = journal.append(lambda looks: None if any(one.run_id == run_id for one in looks) else look)
        if written and is_news(written, journal.records()[: written.seq]):
            send(world.settings, "drift", about_drift(written))
        if not look.drifted:
            raise AirflowSkipException(
                f"{look.num_texts} texts of users are like what {look.release_id} was trained on"
            )
        context["outlet_events"][self.asset].extra = {"line": self.line, "drifted": list(look.drifted)}


def _captured(world: World, first_day: date, last_day: date) -> tuple[Captured, int]:
    found = exchanges(world.settings.capture_dir, first_day, last_day)
    if len(found) < MIN_TEXTS:
        raise AirflowSkipException(
            f"{len(found)} texts of users were kept from {first_day} to {last_day}, expected at least {MIN_TEXTS}; "
            f"[edge] capture_share of ratchet.toml is {world.settings.edge.capture_share:g} (docs/edge.md)"
        )
    return Captured(first_day=first_day, last_day=last_day, sha256=digest_of(found)), len(found)


def _base(world: World, name: str) -> dict[str, Any]:
    base = world.base(name)
    if base is None:
        raise AirflowSkipException(f"the store has no base model named {name!r} yet: `ratchet up` brings it")
    return base.model_dump(mode="json")


def _world() -> World:
    settings = load()
    return World(settings, settings.scratch)
