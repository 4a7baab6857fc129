import json
from pathlib import Path

import pytest

from ratchet.convert.bundle import bundle_defaults, chat_template
from ratchet.convert.contract import ConvertSettings, SamplingDefaults


def _model(folder: Path, generation: dict[str, object] | None, config: dict[str, object]) -> Path:
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3", **config}))
    return folder


@pytest.mark.parametrize(
    ("generation", "config", "stops", "pad"),
    [
        ({"eos_token_id": [5, 2], "pad_token_id": 0}, {"eos_token_id": 9}, (2, 5), 0),
        ({"eos_token_id": 2}, {"pad_token_id": 1}, (2,), 1),
        (None, {"eos_token_id": 7}, (7,), None),
        (None, {}, (), None),
    ],
)
def test_stop_tokens_come_from_the_generation_settings_first(
    tmp_path: Path,
    generation: dict[str, object] | None,
    config: dict[str, object],
    stops: tuple[int, ...],
    pad: int | None,
) -> None:
    defaults = bundle_defaults(_model(tmp_path, generation, config), "0" * 64, ConvertSettings())

    assert defaults.stop_token_ids == stops
    assert defaults.pad_token_id == pad


def test_sampling_and_context_are_what_the_recipe_says(tmp_path: Path) -> None:
    settings = ConvertSettings(
        sampling=SamplingDefaults(max_tokens=9, top_k=40, temperature=0.7, seed=3), cache_length=512
    )

    defaults = bundle_defaults(_model(tmp_path, None, {}), "0" * 64, settings)

    assert (defaults.max_tokens, defaults.top_k, defaults.temperature, defaults.seed) == (9, 40, 0.7, 3)
    assert defaults.context_tokens == 512


def test_the_chat_template_is_found_in_its_file_or_in_the_tokenizers_settings(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "inside"}))
    inside = chat_template(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("own file")

    assert (inside, chat_template(tmp_path)) == ("inside", "own file")
