"""What a text is to the base model: the mean of its last hidden states, over the text's own tokens."""
# N texts, B batch, T tokens, H hidden size

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ratchet.core.errors import TerminalError
from ratchet.core.log import progress

OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}
# Padding included. It bounds the memory of a batch, and on a CPU a layer's states of the tiny base stay in its cache.
BATCH_TOKENS = {"cpu": 1024, "cuda": 32768}
# The work of a layer is over before a second thread has woken: on two busy cores two took eight times as long as one.
MIN_PARAMETERS_FOR_THREADS = 50_000_000


class UnusableBase(TerminalError, ValueError):
    """The base model cannot be loaded."""

    code = "MODEL_INVALID"


def embeddings(base: Path, texts: Sequence[str], *, device: str, max_tokens: int) -> Any:
    """A float32 tensor (N, H) on the CPU, in the order of the texts; each text's first `max_tokens` tokens count.

    On the CPU the model computes in float32, on a GPU in the precision it is stored in; the mean is float32 always.
    Only safetensors are read, and no code that comes with the model runs. Raises UnusableBase.
    """
    os.environ.update(OFFLINE)
    import torch

    tokenizer, model = _load(base, device)
    tokens = [
        torch.tensor(ids or [0]) for ids in tokenizer(list(texts), truncation=True, max_length=max_tokens).input_ids
    ]
    found_NH = torch.empty(len(texts), model.config.hidden_size)
    done = 0
    with torch.inference_mode():
        for batch in _batches([len(ids) for ids in tokens], BATCH_TOKENS[device]):
            found_NH[batch] = _mean_states(model, [tokens[at] for at in batch]).cpu()
            done += len(batch)
            progress(step=done, steps=len(texts))
    return found_NH


def _load(base: Path, device: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    own: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    dtype = torch.float32 if device == "cpu" else "auto"
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, **own)
        model = AutoModel.from_pretrained(base, dtype=dtype, use_safetensors=True, **own)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise UnusableBase(f"{base}: transformers cannot load the base model from this folder: {error}") from error
    if device == "cpu" and model.num_parameters() < MIN_PARAMETERS_FOR_THREADS:
        torch.set_num_threads(1)
    return tokenizer, model.eval().to(device)


def _mean_states(model: Any, tokens: Sequence[Any]) -> Any:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids_BT = pad_sequence(tokens, batch_first=True).to(model.device)
    lengths_B1 = torch.tensor([[len(ids)] for ids in tokens], device=model.device)
    mask_BT = torch.arange(ids_BT.shape[1], device=model.device) < lengths_B1
    states_BTH = model(input_ids=ids_BT, attention_mask=mask_BT.long(), use_cache=False).last_hidden_state.float()
    return (states_BTH * mask_BT[..., None]).sum(dim=1) / lengths_B1


def _batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Positions, texts of like lengths together: little is padding."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[at] > batch_tokens:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
