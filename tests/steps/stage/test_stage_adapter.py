"""In the adapter lane the candidate is an adapter on a base that is served with it."""

from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import sha
from tests.fakes.folders import make_adapter_folder, make_model_folder
from tests.fakes.serving_world import ServingWorld
from tests.steps.stage.conftest import inputs

from ratchet.core.adapter_folder import NotServable
from ratchet.core.evaluation import EvalReport
from ratchet.core.serving import ServedParts, ServingSettings
from ratchet.stage.contract import StageInputs
from ratchet.stage.run import run


class OnBase:
    """A candidate of the adapter lane, with files: its merged model, its base and its adapter."""

    def __init__(self, place: ServingWorld, folder: Path) -> None:
        self.place, self.folder = place, folder
        self.base = place.world.store.put_folder(make_model_folder(folder / "base"))

    def inputs(self, template: str = "{{ messages }}", **adapter: Any) -> StageInputs:
        put = self.place.world.store.put_folder
        merged = put(make_model_folder(self.folder / "merged", template))
        parts = ServedParts(
            adapter=put(make_adapter_folder(self.folder / "adapter", self.base.sha256, **adapter)), base=self.base
        )
        report = EvalReport.model_validate_json(self.place.world.store.read_bytes(self.place.report()))
        of_merged = report.model_copy(update={"model_sha256": merged.sha256})
        self.place.green.models = {"support", "b", merged.sha256}
        return inputs(
            self.place,
            model=merged,
            parts=parts,
            serving=ServingSettings(lane="adapter"),
            candidate_report=self.place.world.store.put_bytes(of_merged.canonical_json()),
        )


@pytest.fixture
def on_base(place: ServingWorld, tmp_path: Path) -> OnBase:
    return OnBase(place, tmp_path / "made")


def test_in_the_adapter_lane_adapter_and_base_are_loaded_and_asked_as_the_candidate(
    place: ServingWorld, on_base: OnBase
) -> None:
    asked = on_base.inputs()

    outputs = run(asked, place.world)

    loaded = place.engine.loaded("green")
    assert outputs.verdict == "PASS"
    assert loaded is not None
    assert (loaded.model, loaded.parts, loaded.serving.lane) == (asked.model, asked.parts, "adapter")


def test_an_adapter_that_answers_otherwise_than_the_evaluated_model_fails(place: ServingWorld, on_base: OnBase) -> None:
    place.green.answers = dict.fromkeys(place.green.answers, "what the base says")

    outputs = run(on_base.inputs(), place.world)

    assert (outputs.verdict, outputs.checks[0].verdict) == ("FAIL", "FAIL")
    assert place.engine.loaded("green") is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"template": "{{ evil }}"}, "differs from its base in chat_template.jinja"),
        ({"modules_to_save": ["embed_tokens"]}, "modules_to_save"),
        ({"r": 1024}, "its rank is 1024"),
        ({"base_model_name_or_path": f"sha256:{sha('other')}"}, f"trained on base sha256:{sha('other')}"),
    ],
    ids=["another chat template", "trained embeddings", "rank", "another base"],
)
def test_what_the_adapter_lane_cannot_serve_is_refused_before_anything_is_loaded(
    place: ServingWorld, on_base: OnBase, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(NotServable, match=why):
        run(on_base.inputs(**change), place.world)

    assert place.engine.num_starts == 0
    assert place.engine.unloaded == []


def test_the_adapter_lane_without_an_adapter_is_no_merged_release(place: ServingWorld) -> None:
    with pytest.raises(ValueError, match=r"serving\.lane is 'adapter', but there are no parts"):
        inputs(place, serving=ServingSettings(lane="adapter"))
