"""The adapter folded into the base as it was before quantization, and the proof that the result is just that."""

# T tokens, V vocabulary

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from ratchet.core.errors import TerminalError
from ratchet.core.model_folder import INDEX
from ratchet.core.refs import list_folder
from ratchet.core.telemetry import span

MAX_LOGIT_DIFFERENCE = 1e-3  # fp32 rounding gives some 1e-5; a wrong scale or a lost layer gives 0.1 and more


class BadMerge(TerminalError):
    """The merged model is not base plus adapter."""

    code = "TRAIN_BAD_MERGE"


class NonFiniteWeights(TerminalError, ValueError):
    """A weight is NaN or infinite."""

    code = "MODEL_INVALID"


@span("merge")
def merge(base: Path, adapter: Path, prompts: Sequence[list[int]], out: Path) -> float:
    """Write the merged model to `out`: the base's own files, byte for byte, with new weights in the base's dtype.

    Returns the largest difference of any logit over all `prompts`, merged against base + adapter, both in fp32.

    Raises:
        BadMerge: nothing changed, or the logits differ by more than 1e-3.
        NonFiniteWeights: the merged weights hold NaN or infinity.
    """
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True)
    tuned = PeftModel.from_pretrained(model, adapter).eval()
    expected = [_logits(tuned, prompt) for prompt in prompts]
    merged = tuned.merge_and_unload()
    difference: float = max((a - b).abs().max().item() for a, b in zip(expected, _each(merged, prompts), strict=True))
    merged.to(AutoConfig.from_pretrained(base, local_files_only=True).dtype or torch.float32).save_pretrained(out)
    _copy_beside_weights(base, out)
    check_finite(out)
    check_merge(base, out, difference)
    return difference


def check_merge(base: Path, merged: Path, logit_difference: float) -> None:
    changed = [name for name, weight in _weights(merged) if not _equals(base, name, weight)]
    if not changed:
        raise BadMerge(
            "the merged weights equal the base's: the adapter changes nothing; expected every adapted layer to differ. "
            "Look at learning_rate and at the adapter's target modules"
        )
    if not logit_difference <= MAX_LOGIT_DIFFERENCE:
        raise BadMerge(
            f"merged and base + adapter differ by {logit_difference:.2g} in a logit, expected at most "
            f"{MAX_LOGIT_DIFFERENCE:.0e}: the merge is not the model that was trained"
        )


def check_finite(folder: Path) -> None:
    """Raises NonFiniteWeights with the names of the tensors."""
    bad = [name for name, weight in _weights(folder) if weight.is_floating_point() and not weight.isfinite().all()]
    if bad:
        raise NonFiniteWeights(
            f"{folder.name}: {len(bad)} tensors hold NaN or infinity, the first is {bad[0]}; expected finite numbers. "
            "The file is corrupt or its training diverged: use another one"
        )


def make_portable(adapter: Path, base_sha256: str) -> None:
    """Take this machine and this process out of the adapter: its folder is named by digest."""
    (adapter / "README.md").unlink(missing_ok=True)
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_bytes())
    config["base_model_name_or_path"] = f"sha256:{base_sha256}"
    config["target_modules"] = sorted(config["target_modules"])  # a set: its order differs from process to process
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def _logits(model: Any, prompt: list[int]) -> Any:
    """Shape (T, V)."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([prompt])).logits[0]


def _each(model: Any, prompts: Sequence[list[int]]) -> Iterator[Any]:
    return (_logits(model, prompt) for prompt in prompts)


def _weights(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """One tensor at a time: the memory of the largest, not of the model."""
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                yield name, file.get_tensor(name)


def _equals(folder: Path, name: str, weight: torch.Tensor) -> bool:
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            if name in file.keys():  # noqa: SIM118 — not a mapping
                return bool(torch.equal(file.get_tensor(name), weight))
    return True  # e.g. a tied lm_head that one side writes out: no sign of a change


def _copy_beside_weights(base: Path, out: Path) -> None:
    for name, path in list_folder(base):
        if path.suffix != ".safetensors" and name != INDEX:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, out / name)
