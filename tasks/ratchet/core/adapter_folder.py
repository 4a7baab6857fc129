"""Can an engine serve this adapter on its base, and be the candidate that was evaluated? Asked before it is loaded.

vLLM refuses some adapters late and passes over parts of others in silence (trained embeddings): what it would not
apply in full is refused here, from names and headers alone, in milliseconds.

adapter_config.json    {"peft_type": "LORA", "r": 32, "base_model_name_or_path": "sha256:9f2c…", "bias": "none", …}
"""

from collections.abc import Mapping
from pathlib import Path

from ratchet.core.errors import TerminalError
from ratchet.core.model_folder import INDEX, check_safetensors, read_object

# What --max-lora-rank takes (vllm/config/lora.py, MaxLoRARanks, vLLM 0.32).
ENGINE_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
MAX_RANK = ENGINE_RANKS[-1]
# Of PEFT's LoraConfig: trained outside of A and B, or computed otherwise than base + scale * B A.
NOT_SERVED = (
    *("modules_to_save", "trainable_token_indices", "use_dora", "lora_bias", "layer_replication"),
    *("alora_invocation_tokens", "use_bdlora", "use_qalora", "target_parameters"),
)
PLAIN: Mapping[str, tuple[object, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none", None),
    "init_lora_weights": (True, False, None, "gaussian"),  # others change the base when PEFT loads the adapter
}
LORA_TENSORS = (".lora_A.weight", ".lora_B.weight")
REMEDY = 'serve the line merged (`lane="merged"` in the recipe\'s ServingSettings)'


class NotServable(TerminalError, ValueError):
    """The adapter on its base would not be the candidate."""

    code = "MODEL_INVALID"


def check_adapter_folder(folder: Path, base_sha256: str) -> int:
    """Returns the adapter's largest rank.

    Raises:
        NotServable: the engine would not apply all of it, or it was trained on another base.
        BadModelFolder: it is not a whole folder.
    """
    path = folder / "adapter_config.json"
    config = read_object(path, why="it says what the adapter is")
    trained_on = config.get("base_model_name_or_path")
    if trained_on != f"sha256:{base_sha256}":
        raise NotServable(f"{path}: trained on base {trained_on}, expected sha256:{base_sha256}; serve it on its own")
    found = [f"{name} is {config[name]!r}" for name in NOT_SERVED if config.get(name)]
    found += [f"{name} is {config.get(name)!r}" for name, plain in PLAIN.items() if config.get(name) not in plain]
    found += [f"it trains {name}" for name in _tensors(folder) if not name.endswith(LORA_TENSORS)]
    rank: int = max([config.get("r", 0), *(config.get("rank_pattern") or {}).values()])
    if not 0 < rank <= MAX_RANK:
        found.append(f"its rank is {rank}, expected 1 to {MAX_RANK}")
    if found:
        raise NotServable(f"{path}: an engine would not serve all of this adapter: {'; '.join(found)}; {REMEDY}")
    return rank


def _tensors(folder: Path) -> list[str]:
    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        raise NotServable(f"{path} is missing: expected the adapter's weights as safetensors; fine-tune again")
    return check_safetensors(path)


def engine_rank(rank: int) -> int:
    """The smallest rank that the engine has room for and that holds `rank`."""
    return next(room for room in ENGINE_RANKS if room >= rank)


def check_beside_weights(candidate: Mapping[str, str], base: Mapping[str, str]) -> None:
    """Tokenizer, chat template and configuration that serve are the base's: are they the candidate's, byte for byte?

    Args:
        candidate, base: the folders' files, as path → sha256.
    Raises:
        NotServable: naming the files that differ.
    """
    ours, theirs = (
        {name: sha256 for name, sha256 in files.items() if not name.endswith(".safetensors") and name != INDEX}
        for files in (candidate, base)
    )
    different = sorted(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
    if different:
        raise NotServable(
            f"the candidate differs from its base in {', '.join(different)}, and in the adapter lane the base's are "
            f"served: users would get another model than the evaluated one; {REMEDY}"
        )
