"""Model and adapter folders of a few bytes, whole as far as names and headers tell."""

import json
from pathlib import Path
from typing import Any

LAYER = "base_model.model.model.layers.0.self_attn.q_proj"


def safetensors(*names: str) -> bytes:
    """One number for each tensor."""
    header = json.dumps(
        {name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i, name in enumerate(names)}
    ).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4 * len(names))


def make_model_folder(folder: Path, template: str = "{{ messages }}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text(template)
    (folder / "model.safetensors").write_bytes(safetensors(folder.name))
    return folder


def make_adapter_folder(folder: Path, base_sha256: str, *more_tensors: str, **fields: Any) -> Path:
    """A LoRA adapter as finetune leaves it, with other fields and further tensors."""
    config = {
        "base_model_name_or_path": f"sha256:{base_sha256}",
        "bias": "none",
        "init_lora_weights": True,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": 8,
        "rank_pattern": {},
        "use_dora": False,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config | fields))
    weights = safetensors(f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight", *more_tensors)
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder
