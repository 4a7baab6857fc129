from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import sha
from tests.fakes.folders import LAYER, make_adapter_folder

from ratchet.core.adapter_folder import NotServable, check_adapter_folder, check_beside_weights
from ratchet.core.errors import EXIT_TERMINAL
from ratchet.core.model_folder import BadModelFolder

BASE = sha("base")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return partial(make_adapter_folder, tmp_path, BASE)


def test_a_plain_adapter_is_servable_and_tells_its_rank(write: Write) -> None:
    assert check_adapter_folder(write(), BASE) == 8
    assert check_adapter_folder(write(rank_pattern={"q_proj": 64}), BASE) == 64


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"modules_to_save": ["embed_tokens"]}, r"modules_to_save is \['embed_tokens'\]"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"use_dora": True}, "use_dora is True"),
        ({"lora_bias": True}, "lora_bias"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa'"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
        ({"r": 513}, "its rank is 513, expected 1 to 512"),
        ({"rank_pattern": {"q_proj": 1024}}, "its rank is 1024"),
        ({"r": 0}, "its rank is 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_an_engine_would_not_serve_whole_is_refused(write: Write, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(NotServable, match=why) as refused:
        check_adapter_folder(write(**fields), BASE)

    assert 'lane="merged"' in str(refused.value)
    assert refused.value.exit_code == EXIT_TERMINAL


@pytest.mark.parametrize("tensor", ["base_model.model.model.embed_tokens.weight", f"{LAYER}.lora_magnitude_vector"])
def test_trained_weights_beside_a_and_b_are_refused_whatever_the_config_says(write: Write, tensor: str) -> None:
    with pytest.raises(NotServable, match=f"it trains {tensor}"):
        check_adapter_folder(write(tensor), BASE)


def test_an_adapter_of_another_base_is_refused(write: Write) -> None:
    with pytest.raises(NotServable, match=f"trained on base sha256:{BASE}, expected sha256:{sha('other')}"):
        check_adapter_folder(write(), sha("other"))


def test_a_cut_off_adapter_is_refused(write: Write) -> None:
    weights = write() / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])

    with pytest.raises(BadModelFolder, match="truncated"):
        check_adapter_folder(weights.parent, BASE)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_with_a_file_missing_is_refused(write: Write, name: str) -> None:
    folder = write()
    (folder / name).unlink()

    with pytest.raises((NotServable, BadModelFolder), match=f"{name} is missing"):
        check_adapter_folder(folder, BASE)


FILES = {
    "config.json": sha("c"),
    "tokenizer.json": sha("t"),
    "chat_template.jinja": sha("j"),
    "a.safetensors": sha("w"),
}


def test_candidate_and_base_may_differ_in_their_weights_alone() -> None:
    sharded = {"model.safetensors.index.json": sha("i"), "b.safetensors": sha("v")}
    base = {**{name: sha256 for name, sha256 in FILES.items() if name != "a.safetensors"}, **sharded}

    check_beside_weights(FILES, base)


@pytest.mark.parametrize(
    ("candidate", "named"),
    [
        ({**FILES, "chat_template.jinja": sha("other")}, "chat_template.jinja"),
        ({**FILES, "added_tokens.json": sha("new")}, "added_tokens.json"),
        ({name: sha256 for name, sha256 in FILES.items() if name != "tokenizer.json"}, "tokenizer.json"),
    ],
    ids=["changed", "added", "removed"],
)
def test_a_candidate_with_another_tokenizer_or_template_than_its_base_is_refused(
    candidate: dict[str, str], named: str
) -> None:
    with pytest.raises(NotServable, match=f"differs from its base in {named}"):
        check_beside_weights(candidate, FILES)
