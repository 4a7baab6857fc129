import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.core.errors import EXIT_TERMINAL
from ratchet.core.model_folder import BadModelFolder, check_model_folder

Change = Callable[[Path], object]


def safetensors(num_values: int = 4) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [num_values], "data_offsets": [0, 4 * num_values]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4 * num_values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    (tmp_path / "model.safetensors").write_bytes(safetensors())
    return tmp_path


def delete(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: str | bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_whole_folder_is_accepted(folder: Path) -> None:
    check_model_folder(folder)


def test_a_template_in_the_tokenizer_config_will_do(folder: Path) -> None:
    delete("chat_template.jinja")(folder)
    write("tokenizer_config.json", '{"chat_template": "{{ messages }}"}')(folder)

    check_model_folder(folder)


def test_shards_that_the_index_names_are_accepted(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    write("model.safetensors.index.json", '{"weight_map": {"w": "model-00001-of-00001.safetensors"}}')(folder)

    check_model_folder(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (delete("config.json"), "config.json is missing"),
        (write("config.json", "{"), "expected JSON, got 1 bytes"),
        (write("config.json", "[]"), "expected a JSON object, got list"),
        (write("config.json", "{}"), "no model_type"),
        (write("config.json", '{"model_type": "x", "auto_map": {}}'), "config.json: auto_map"),
        (write("tokenizer_config.json", '{"auto_map": {}}'), "tokenizer_config.json: auto_map"),
        (delete("tokenizer.json"), "tokenizer.json is missing"),
        (delete("chat_template.jinja"), "no chat template"),
        (write("chat_template.jinja", ""), "no chat template"),
        (write("pytorch_model.bin", b"x"), "pytorch_model.bin: pickled files are refused"),
        (write("optimizer.pt", b"x"), "optimizer.pt: pickled files are refused"),
        (delete("model.safetensors"), "no weights"),
        (write("model.safetensors.index.json", '{"weight_map": {"w": "gone.safetensors"}}'), "names gone.safetensors"),
        (write("model.safetensors", b""), "got 0 bytes"),
        (write("model.safetensors", b"PK\x03\x04" + bytes(range(200, 230))), "do not begin with one"),
        (write("model.safetensors", (2).to_bytes(8, "little") + b"{]"), "header is not what the format says"),
        (write("model.safetensors", (7).to_bytes(8, "little") + b'{"a":1}'), "header is not what the format says"),
        (write("model.safetensors", safetensors() + b"x"), "expected 86 bytes by its header, got 87"),
    ],
)
def test_a_bad_folder_is_refused_with_what_is_wrong(folder: Path, change: Change, says: str) -> None:
    change(folder)

    with pytest.raises(BadModelFolder) as refused:
        check_model_folder(folder)

    assert says in str(refused.value)
    assert refused.value.exit_code == EXIT_TERMINAL


@pytest.mark.parametrize("num_bytes", range(len(safetensors())))
def test_weights_cut_off_at_any_byte_are_refused_with_byte_counts(folder: Path, num_bytes: int) -> None:
    write("model.safetensors", safetensors()[:num_bytes])(folder)

    with pytest.raises(BadModelFolder, match=rf"got {num_bytes}\b"):
        check_model_folder(folder)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match="is not a folder"):
        check_model_folder(tmp_path / "nothing")
