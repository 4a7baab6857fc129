"""The tiny base model of the embedded platform: a real Qwen3 that Ratchet trains itself, so that no hub is needed.

    python -m ratchet.local.base_model OUT_DIR      (in the train environment; minutes on two cores)

Architecture, tokenizer, chat template and file formats are the real ones; the skill is small. The vocabulary is so
small (bytes and some 250 merges) that no token is rare: a rare row of the tied, frozen embedding would cap what a
fine-tune on labels that nobody foresaw can learn.
"""

# B batch, T tokens

from __future__ import annotations

import argparse
import math
import random
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.core import log
from ratchet.local.corpus import Chat, chats, english_paragraphs

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
# Content is a string from most callers and a list of parts from LiteRT-LM: both must read the same.
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Qwen's own split: words with the character before them, single digits, runs of punctuation, line breaks.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_IGNORED = -100  # no loss on this token
_NUM_THREADS = 2  # fixed, since the order of a sum's parts changes its last bits


@dataclass(frozen=True)
class Pretraining:
    """Everything that decides the base model, besides the code and the lock."""

    seed: int = 17
    vocab_size: int = 512
    steps: int = 850
    block_tokens: int = 128
    batch_blocks: int = 8
    english_share: float = 0.5
    learning_rate: float = 2e-3
    warmup_steps: int = 40
    weight_decay: float = 0.1


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ratchet.local.base_model", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="folder to write the model to; must not exist")
    out_dir: Path = parser.parse_args(arguments).out_dir
    if out_dir.exists():
        parser.error(f"{out_dir} already exists; name a new folder or delete it")
    build(out_dir, Pretraining())
    return 0


def build(out_dir: Path, settings: Pretraining) -> None:
    """Pretrain and save; `out_dir` appears whole or not at all."""
    import torch

    torch.set_num_threads(_NUM_THREADS)
    torch.manual_seed(settings.seed)
    paragraphs = english_paragraphs()
    random.Random(settings.seed).shuffle(paragraphs)
    tokenizer = _train_tokenizer(paragraphs, settings)
    model = _new_model(tokenizer)
    _pretrain(model, _batches(tokenizer, paragraphs, settings), settings)
    unfinished = out_dir.with_name(f".{out_dir.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished, safe_serialization=True)
    tokenizer.save_pretrained(unfinished)
    unfinished.rename(out_dir)


def learning_rate_factor(step: int, settings: Pretraining) -> float:
    """Linear warm-up to 1, then a half cosine down to 0.02 at the last step."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def _train_tokenizer(paragraphs: list[str], settings: Pretraining) -> PreTrainedTokenizerFast:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size,
        special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    labelled = [f"{chat.user}\n{chat.assistant}" for chat in islice(chats(settings.seed, paragraphs), 4000)]
    tokenizer.train_from_iterator(paragraphs[:8000] + labelled, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )


def _new_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=640,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=32,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def _batches(
    tokenizer: PreTrainedTokenizerFast, paragraphs: list[str], settings: Pretraining
) -> Iterator[tuple[Tensor, Tensor]]:
    """Input ids and labels, both (B, T), without end: English blocks first, then chat blocks."""
    import torch

    num_english = round(settings.batch_blocks * settings.english_share)
    english = _blocks((_encode_paragraph(tokenizer, text) for text in _again_and_again(paragraphs)), settings)
    chat = _blocks((_encode_chat(tokenizer, chat) for chat in chats(settings.seed, paragraphs)), settings)
    while True:
        blocks = [*islice(english, num_english), *islice(chat, settings.batch_blocks - num_english)]
        yield torch.tensor([ids for ids, _ in blocks]), torch.tensor([labels for _, labels in blocks])


Tokens = tuple[list[int], list[int]]  # input ids and labels, equally long


def _blocks(documents: Iterator[Tokens], settings: Pretraining) -> Iterator[Tokens]:
    """Blocks of `block_tokens`, each beginning with a document's beginning; what runs over is dropped."""
    ids: list[int] = []
    labels: list[int] = []
    for document_ids, document_labels in documents:
        ids += document_ids
        labels += document_labels
        if len(ids) >= settings.block_tokens:
            yield ids[: settings.block_tokens], labels[: settings.block_tokens]
            ids, labels = [], []


def _encode_paragraph(tokenizer: PreTrainedTokenizerFast, text: str) -> Tokens:
    ids = [*tokenizer.encode(text), tokenizer.pad_token_id]
    return ids, ids


def _encode_chat(tokenizer: PreTrainedTokenizerFast, chat: Chat) -> Tokens:
    question = f"{TURN_START}user\n{chat.user}{TURN_END}\n{TURN_START}assistant\n"
    question_ids = tokenizer.encode(question)
    answer_ids = tokenizer.encode(f"{chat.assistant}{TURN_END}\n")
    return question_ids + answer_ids, [_IGNORED] * len(question_ids) + answer_ids


def _again_and_again(texts: list[str]) -> Iterator[str]:
    while True:
        yield from texts


def _pretrain(model: Qwen3ForCausalLM, batches: Iterator[tuple[Tensor, Tensor]], settings: Pretraining) -> None:
    import torch

    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        betas=(0.9, 0.95),
    )
    model.train()
    started = time.monotonic()
    for step, (ids_BT, labels_BT) in enumerate(islice(batches, settings.steps)):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(step, settings)
        loss = model(input_ids=ids_BT, labels=labels_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 20 == 0 or step + 1 == settings.steps:
            tokens = (step + 1) * ids_BT.numel()
            log.progress(
                step=step + 1,
                steps=settings.steps,
                loss=round(loss.item(), 4),
                tokens_per_second=round(tokens / (time.monotonic() - started)),
            )
    model.eval()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
