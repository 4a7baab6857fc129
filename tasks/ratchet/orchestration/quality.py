"""The tasks behind the quality step: tell people what is worse, and let a release begin when agreement has fallen."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.quality import Quality, is_news
from ratchet.orchestration.drift import drift_asset
from ratchet.orchestration.messages import about_quality
from ratchet.orchestration.notify import send


class TellQuality(BaseOperator):
    """Send a message of what is worse since the look before. Skipped when nothing is.

    Args:
        seq: of the look, in the line's journal.
    """

    template_fields: Sequence[str] = ("seq",)

    def __init__(self, *, line: str, seq: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.line = line
        self.seq = seq

    def execute(self, context: Any) -> None:  # noqa: ARG002 - Airflow's
        looks = _looks(self.line)
        look = looks[int(self.seq)]
        if not look.worse:
            raise AirflowSkipException(f"{look.release_id} answers as it did, as far as it is known")
        if is_news(look, looks[: look.seq]):
            send(load(), "drift", about_quality(look))


class AskForRelease(BaseOperator):
    """Emit the event that a release may wait for (`release_on_drift`), when users' questions have other answers by now.

    Skipped as long as nothing proves it. `seq` is as TellQuality's.
    """

    template_fields: Sequence[str] = ("seq",)

    def __init__(self, *, line: str, seq: Any, **kwargs: Any) -> None:
        self.asset = drift_asset(line)
        super().__init__(outlets=[self.asset], **kwargs)
        self.line = line
        self.seq = seq

    def execute(self, context: Any) -> None:
        look = _looks(self.line)[int(self.seq)]
        if not (look.agreement and look.agreement.has_fallen):
            raise AirflowSkipException(f"no truth says that {look.release_id} is right less often than it was")
        context["outlet_events"][self.asset].extra = {"line": self.line, "drifted": ["agreement"]}


def _looks(line: str) -> list[Quality]:
    settings = load()
    return World(settings, settings.scratch).quality(line).records()
