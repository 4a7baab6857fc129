"""What is worse is told once, and only a proved fall of what is right asks for a release."""

import logging
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from tests.fakes.looks import judged

from ratchet.clients.world import World
from ratchet.core.quality import Quality
from ratchet.orchestration.quality import AskForRelease, TellQuality


def recorded(world: World, look: Quality) -> int:
    written = world.quality("support").append(lambda _: look)
    assert written is not None
    return written.seq


def tell(seq: int) -> None:
    TellQuality(task_id="tell", line="support", seq=seq).execute({})


def ask(seq: int) -> dict[str, Any]:
    """The events that it emitted."""
    events: dict[Any, Any] = defaultdict(SimpleNamespace)
    AskForRelease(task_id="ask_for_release", line="support", seq=seq).execute({"outlet_events": events})
    return {asset.uri: event.extra for asset, event in events.items()}


def test_what_is_worse_is_told_in_numbers_and_where_to_read_on(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ratchet.notify"):
        tell(recorded(world, judged(right=60, hits=10)))

    (message,) = caplog.messages
    assert "support-1 of support answers worse than it did: toxic prompts" in message
    assert "60 of 100 answers are as the truth says" in message
    assert "docs/quality.md" in message


def test_what_goes_on_is_told_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ratchet.notify"):
        for _ in range(2):
            tell(recorded(world, judged(right=60)))

    assert len(caplog.messages) == 1


def test_answers_that_are_as_good_as_before_are_no_message(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AirflowSkipException, match="support-1 answers as it did"):
        tell(recorded(world, judged()))

    assert not caplog.messages


def test_a_proved_fall_is_the_event_that_a_release_waits_for(world: World) -> None:
    assert ask(recorded(world, judged(right=60))) == {
        "ratchet://drifts/support": {"line": "support", "drifted": ["agreement"]}
    }


@pytest.mark.parametrize("look", [judged(right=94), judged(hits=100, kpi=1.0), judged(right=0, agreement=None)])
def test_nothing_else_asks_for_a_release(world: World, look: Quality) -> None:
    with pytest.raises(AirflowSkipException, match="no truth says"):
        ask(recorded(world, look))
