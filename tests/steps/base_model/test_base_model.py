"""The tiny base model's own training: the same bytes every time, and a folder that every step can use."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from ratchet.core.model_folder import check_model_folder
from ratchet.core.refs import digest_file
from ratchet.local.base_model import Pretraining, build, learning_rate_factor
from ratchet.local.muon import orthogonalized

SHORT = replace(Pretraining(), steps=3, blocks=2, warmup_steps=1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "model"
    build(folder, SHORT)
    return folder


def test_building_twice_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    build(tmp_path / "again", SHORT)

    names = sorted(path.name for path in built.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert [digest_file(built / name) for name in names] == [digest_file(tmp_path / "again" / name) for name in names]


def test_the_folder_is_a_model_that_may_be_released(built: Path) -> None:
    check_model_folder(built)


def test_a_text_and_a_list_of_parts_are_the_same_chat(built: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(built)

    as_text = tokenizer.apply_chat_template([{"role": "user", "content": "Where is it?"}], tokenize=False)
    as_parts = tokenizer.apply_chat_template(
        [{"role": "user", "content": [{"type": "text", "text": "Where is it?"}]}], tokenize=False
    )

    assert as_text == as_parts
    assert "Where is it?" in as_text


@pytest.mark.parametrize("text", ["What is 12 + 7?", "Grüße, Łukasz \U0001f620", "line\nbreak", "a_label"])
def test_any_text_survives_the_tokenizer(built: Path, text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(built)

    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_digits_are_single_tokens(built: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(built)

    assert len(tokenizer.encode("4711")) == 4


@pytest.mark.parametrize("shape", [(8, 8), (8, 32), (32, 8)])
def test_orthogonalizing_levels_the_singular_values_and_keeps_the_directions(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)

    result = orthogonalized(matrix)

    assert torch.all((torch.linalg.svdvals(result) > 0.6) & (torch.linalg.svdvals(result) < 1.3))
    turned = left.T @ result @ right.T
    assert torch.allclose(turned, torch.diag(turned.diag()), atol=1e-4)


def test_the_learning_rate_rises_then_falls() -> None:
    settings = Pretraining()
    factors = [learning_rate_factor(step, settings) for step in range(settings.steps)]

    assert factors.index(max(factors)) == pytest.approx(settings.warmup_steps, abs=1)
    assert factors[-1] < 0.05
