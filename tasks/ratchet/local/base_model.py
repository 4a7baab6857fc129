"""The tiny base model of the embedded platform: a real Qwen3 that Ratchet trains itself, so that no hub is needed.

    python -m ratchet.local.base_model OUT_DIR      (in the train environment; some three minutes on two cores)

Architecture, tokenizer, chat template and file formats are the real ones; the skill is small. So is the vocabulary, for
every token to be common: a rare row of the tied, frozen embedding would cap what a fine-tune on labels that nobody
foresaw can learn.
"""

# B blocks, T tokens

from __future__ import annotations

import argparse
import math
import random
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from ratchet.core.log import configure, log, progress
from ratchet.local.corpus import Chat, chats, english_paragraphs
from ratchet.local.muon import Muon

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT = TURN_START + "user\n{question}" + TURN_END + "\n" + TURN_START + "assistant\n{answer}"
# Content is a string from most callers and a list of parts from LiteRT-LM: both must read the same.
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Qwen's own split: words with the character before them, single digits, punctuation, line breaks.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PROGRESS_STEPS = 10
NUM_THREADS = 2  # fixed, since the order of a sum's parts changes its last bits


@dataclass(frozen=True)
class Pretraining:
    """Everything that decides the base model, besides the corpus and the lock. A step sees B blocks of T tokens."""

    seed: int = 17
    vocab_size: int = 512
    steps: int = 330
    block_tokens: int = 128
    blocks: int = 16
    english_share: float = 0.4  # of the tokens; the others are chats
    # Of a token in the loss, an answer's being 1: most of a question is random, and there is much more English.
    question_weight: float = 0.1
    english_weight: float = 0.4
    learning_rate: float = 3e-3
    warmup_steps: int = 40
    weight_decay: float = 0.1


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ratchet.local.base_model", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="folder to write the model to; must not exist")
    out_dir: Path = parser.parse_args(arguments).out_dir
    if out_dir.exists():
        parser.error(f"{out_dir} already exists; name a new folder or delete it")
    configure()
    build(out_dir, Pretraining())
    return 0


def build(out_dir: Path, settings: Pretraining) -> None:
    """Pretrain and save; `out_dir` appears whole or not at all."""
    torch.set_num_threads(NUM_THREADS)
    torch.manual_seed(settings.seed)
    transformers.utils.logging.disable_progress_bar()
    log.info("reading the corpus")
    paragraphs = english_paragraphs()
    random.Random(settings.seed).shuffle(paragraphs)  # noqa: S311 — reproducible, not secret
    tokenizer = _train_tokenizer(paragraphs, settings)
    model = _new_model(tokenizer)
    _pretrain(model, _batches(tokenizer, paragraphs, settings), settings)
    unfinished = out_dir.with_name(f".{out_dir.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    unfinished.rename(out_dir)


def _train_tokenizer(paragraphs: list[str], settings: Pretraining) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
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
    asked = (CHAT.format(question=chat.user, answer=chat.assistant) for chat in chats(settings.seed, paragraphs))
    tokenizer.train_from_iterator([*islice(asked, len(paragraphs)), *paragraphs], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )


def _new_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    ends: dict[str, Any] = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
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
        dtype="float32",
        **ends,
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=48, **ends)
    return model


@dataclass(frozen=True)
class Batch:
    """Documents packed into blocks, each tensor of shape (B, T).

    `weights` is a token's share in the loss when it is to be predicted; `positions` count within its document.
    """

    ids: Tensor
    weights: Tensor
    positions: Tensor
    documents: Tensor

    @property
    def mask(self) -> Tensor:
        """Shape (B, 1, T, T): a token sees the ones before it in its own document, as when the model is used."""
        same_document = self.documents[:, None, :, None] == self.documents[:, None, None, :]
        return same_document.tril()


Token = tuple[int, float, int, int]  # id, weight, position in its document, document


def _batches(tokenizer: PreTrainedTokenizerFast, paragraphs: list[str], settings: Pretraining) -> Iterator[Batch]:
    blocks = _blocks(_documents(tokenizer, paragraphs, settings), settings.block_tokens)
    while True:
        ids, weights, positions, documents = torch.tensor(list(islice(blocks, settings.blocks))).unbind(-1)
        yield Batch(ids.long(), weights, positions.long(), documents.long())


def _blocks(documents: Iterator[list[tuple[int, float]]], block_tokens: int) -> Iterator[list[Token]]:
    """Each block begins with a document's beginning; what runs over is dropped."""
    block: list[Token] = []
    for number, document in enumerate(documents):
        # Nothing predicts a document's first token, so it has no share in the loss.
        block += [
            (token, weight * (position > 0), position, number) for position, (token, weight) in enumerate(document)
        ]
        if len(block) >= block_tokens:
            yield block[:block_tokens]
            block = []


def _documents(
    tokenizer: PreTrainedTokenizerFast, paragraphs: list[str], settings: Pretraining
) -> Iterator[list[tuple[int, float]]]:
    """Chats and paragraphs, as (token, weight), without end."""
    asked = (_chat(tokenizer, chat, settings.question_weight) for chat in chats(settings.seed, paragraphs))
    english = (_paragraph(tokenizer, paragraph, settings) for paragraph in cycle(paragraphs))
    num_tokens = num_english = 0
    while True:
        is_english = num_english <= settings.english_share * num_tokens
        document = next(english if is_english else asked)
        num_tokens += len(document)
        num_english += len(document) if is_english else 0
        yield document


def _chat(tokenizer: PreTrainedTokenizerFast, chat: Chat, question_weight: float) -> list[tuple[int, float]]:
    question, answer = CHAT.format(question=chat.user, answer=""), f"{chat.assistant}{TURN_END}\n"
    asked = [(token, question_weight) for token in tokenizer.encode(question)]
    return asked + [(token, 1.0) for token in tokenizer.encode(answer)]


def _paragraph(tokenizer: PreTrainedTokenizerFast, paragraph: str, settings: Pretraining) -> list[tuple[int, float]]:
    tokens = tokenizer.encode(END_OF_TEXT + paragraph)[: settings.block_tokens]
    return [(token, settings.english_weight) for token in tokens]


def learning_rate_factor(step: int, settings: Pretraining) -> float:
    """Linear warm-up to 1, then a half cosine down to 0.02 at the last step."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def _pretrain(model: Qwen3ForCausalLM, batches: Iterator[Batch], settings: Pretraining) -> None:
    optimizers = _optimizers(model, settings)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, settings))
        for optimizer in optimizers
    ]
    model.train()
    clock = time.monotonic()
    for step, batch in enumerate(islice(batches, settings.steps), start=1):
        loss = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for stepper in (*optimizers, *schedules):
            stepper.step()
        model.zero_grad()
        if step % PROGRESS_STEPS == 0:
            speed = PROGRESS_STEPS * batch.ids.numel() / (time.monotonic() - clock)
            progress(step=step, steps=settings.steps, loss=round(loss.item(), 4), tokens_per_second=round(speed))
            clock = time.monotonic()
    model.eval()


def _optimizers(model: Qwen3ForCausalLM, settings: Pretraining) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for the embedding and the norms."""
    layers = [parameter for parameter in model.model.layers.parameters() if parameter.ndim == 2]
    of_layers = {id(parameter) for parameter in layers}
    others = [parameter for parameter in model.parameters() if id(parameter) not in of_layers]
    return [
        Muon(layers, settings.learning_rate, weight_decay=settings.weight_decay),
        torch.optim.AdamW(others, settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _loss(model: Qwen3ForCausalLM, batch: Batch) -> Tensor:
    logits = model(input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False).logits
    next_weights = batch.weights[:, 1:].flatten()
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.ids[:, 1:].flatten(), reduction="none"
    )
    return (losses * next_weights).sum() / next_weights.sum()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
