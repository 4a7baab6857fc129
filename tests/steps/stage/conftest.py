"""A line whose production is on blue, and what stage is asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import model, sha
from tests.fakes.releases import ANY_LATENCY
from tests.fakes.serving_world import TASK, ServingWorld, serving_world

from ratchet.core.rollout import first_state
from ratchet.stage.contract import StageInputs, StageSettings


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ServingWorld]:
    with serving_world(tmp_path) as made:
        yield made


def inputs(place: ServingWorld, **fields: Any) -> StageInputs:
    made: dict[str, Any] = {
        "line": "support",
        "release_id": "b",
        "model": model("b"),
        "prompts": place.prompts,
        "candidate_report": place.report(),
        "task": TASK,
        "settings": StageSettings(ready_timeout_seconds=1, num_latency_probes=6, max_latency_ratio=ANY_LATENCY),
    }
    return StageInputs(**{**made, **fields})


def assert_blue_serves_as_before(place: ServingWorld) -> None:
    assert place.router.state == first_state("blue", "a", sha("a"), seq=0)
    assert place.engine.loaded("blue") is not None
    assert "blue" not in place.engine.unloaded
