"""python -m ratchet.convert.measure MODEL BUNDLE PROMPTS OUT SETTINGS: both models answer the same prompts.

Runs contained (see contained.py), since a bad .tflite can crash its interpreter. OUT is the JSON of
parity.Measurements.
"""

# B batch, T tokens, V vocabulary, P prefill length, C cache length

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.convert.bundle import DEFAULTS, LITERTLM, TFLITE, BundleDefaults
from ratchet.convert.contained import NUM_THREADS_VARIABLE
from ratchet.convert.contract import ConvertSettings
from ratchet.convert.parity import Comparison, Measurements

if TYPE_CHECKING:
    import numpy as np

_BATCH_SIZE = 64
_MASKED = -1e9  # added to the attention scores of positions that must not be seen


@dataclass(frozen=True)
class Prompt:
    """One row of the test split. `token_ids`: the whole chat, up to where the answer begins."""

    text: str
    answer: str
    token_ids: list[int]


@dataclass(frozen=True)
class Reference:
    """What the merged model said: its answer, and the logits of the answer's first token."""

    answer: str
    logits_V: np.ndarray


def main(model: Path, bundle: Path, prompts: Path, out: Path, settings: ConvertSettings) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    defaults = BundleDefaults.model_validate_json((bundle / DEFAULTS).read_bytes())
    every = [_prompt(line, tokenizer) for line in _lines(prompts, settings.num_parity_prompts)]
    fitting = [row for row in every if len(row.token_ids) + defaults.max_tokens <= defaults.context_tokens]
    references = _references(model, tokenizer, fitting, defaults)
    tflite = Tflite(bundle / TFLITE, settings.prefill_length)
    logits = [tflite.next_token_logits(row.token_ids) for row in fitting]
    answers, error = conversations(bundle / LITERTLM, [row.text for row in fitting], defaults.max_tokens)
    measured = _measurements(fitting, references, logits, answers, num_too_long=len(every) - len(fitting), error=error)
    out.write_bytes(measured.canonical_json())


class Tflite:
    """The exported model under the plain interpreter: no tokenizer, no template, no sampling."""

    def __init__(self, path: Path, prefill_length: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=num_threads())
        self._prefill_length = prefill_length
        self._prefill = self._interpreter.get_signature_runner(f"prefill_{prefill_length}")
        self._decode = self._interpreter.get_signature_runner("decode")
        details = self._decode.get_input_details()
        self._cache_shapes = {name: entry["shape"] for name, entry in details.items() if name.startswith("kv_cache")}
        self._cache_length = int(details["mask"]["shape"][-1])

    def next_token_logits(self, token_ids: list[int]) -> np.ndarray:
        """Logits (V,) of the token after `token_ids`, which fit the cache.

        The prefill signature returns no logits, so the last token (and what exceeds one prefill) goes through decode.
        """
        import numpy as np

        cache = {name: np.zeros(shape, np.float32) for name, shape in self._cache_shapes.items()}
        num_prefilled = min(len(token_ids) - 1, self._prefill_length)
        if num_prefilled:
            tokens_1P = np.zeros((1, self._prefill_length), np.int32)
            tokens_1P[0, :num_prefilled] = token_ids[:num_prefilled]
            # What the padding leaves in the cache is masked below, and overwritten when its position comes.
            cache = self._run(self._prefill, cache, tokens_1P, first=0)
        for position in range(num_prefilled, len(token_ids)):
            outputs = self._run(self._decode, cache, np.array([[token_ids[position]]], np.int32), first=position)
            cache = {name: outputs[name] for name in self._cache_shapes}
        return np.asarray(outputs["logits"][0, -1], np.float32)

    def _run(self, runner: Any, cache: dict[str, np.ndarray], tokens_1T: np.ndarray, first: int) -> dict[str, Any]:
        import numpy as np

        positions_T = np.arange(first, first + tokens_1T.shape[1], dtype=np.int32)
        seen_TC = np.arange(self._cache_length)[None, :] <= positions_T[:, None]
        mask_11TC = np.where(seen_TC, 0.0, _MASKED).astype(np.float32)[None, None]
        outputs: dict[str, Any] = runner(tokens=tokens_1T, input_pos=positions_T, mask=mask_11TC, **cache)
        return outputs


def num_threads() -> int:
    """What `run_contained` allows this process."""
    return int(os.environ.get(NUM_THREADS_VARIABLE, "0")) or len(os.sched_getaffinity(0))


def _lines(prompts: Path, num: int) -> Iterator[dict[str, str]]:
    with prompts.open(encoding="utf-8") as file:
        for _, line in zip(range(num), file, strict=False):
            yield json.loads(line)


def _prompt(row: dict[str, str], tokenizer: Any) -> Prompt:
    chat = [{"role": "user", "content": row["prompt"]}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return Prompt(row["prompt"], row["answer"].strip(), tokenizer(text, add_special_tokens=False).input_ids)


def _references(model: Path, tokenizer: Any, prompts: list[Prompt], defaults: BundleDefaults) -> list[Reference]:
    """Greedy answers of the merged model by transformers, in fp32."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    torch.set_num_threads(num_threads())
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    merged = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    greedy = GenerationConfig(
        do_sample=False,
        max_new_tokens=defaults.max_tokens,
        eos_token_id=list(defaults.stop_token_ids) or None,
        pad_token_id=tokenizer.pad_token_id,
        output_logits=True,
        return_dict_in_generate=True,
    )
    references: list[Reference] = []
    for start in range(0, len(prompts), _BATCH_SIZE):
        batch = [prompt.token_ids for prompt in prompts[start : start + _BATCH_SIZE]]
        padded = tokenizer.pad({"input_ids": batch}, padding_side="left", return_tensors="pt")
        with torch.inference_mode():
            made = merged.generate(**padded, generation_config=greedy)
        answers_BT = made.sequences[:, padded["input_ids"].shape[1] :]
        texts = tokenizer.batch_decode(answers_BT, skip_special_tokens=True)
        first_BV = made.logits[0].float().numpy()
        references += [Reference(text.strip(), logits_V) for text, logits_V in zip(texts, first_BV, strict=True)]
    return references


def conversations(litertlm: Path, texts: list[str], max_tokens: int) -> tuple[list[str | None], str]:
    """One fresh conversation per text, with the bundle's own template, stop tokens and sampling; and the first error.

    A bundle that does not load or not answer is a bad bundle, to be judged like any other, not an error of this step.
    """
    from litert_lm import Backend, Engine

    answers: list[str | None] = []
    try:
        # ":nocache", since a compiled copy would be written beside the model.
        with Engine(str(litertlm), backend=Backend.CPU(thread_count=num_threads()), cache_dir=":nocache") as engine:
            for text in texts:
                with engine.create_conversation(max_output_tokens=max_tokens) as conversation:
                    answers.append(str(conversation.send_message(text)).strip())
    except RuntimeError as error:
        return answers + [None] * (len(texts) - len(answers)), str(error)
    return answers, ""


def _measurements(
    prompts: list[Prompt],
    references: list[Reference],
    logits: list[np.ndarray],
    answers: list[str | None],
    num_too_long: int,
    error: str,
) -> Measurements:
    import numpy as np

    comparisons: list[Comparison] = []
    differences: list[float] = []
    for prompt, reference, logits_V, answer in zip(prompts, references, logits, answers, strict=True):
        finite = bool(np.isfinite(logits_V).all())
        if finite:
            differences.append(float(np.abs(logits_V - reference.logits_V).max()))
        comparisons.append(
            Comparison(
                prompt=prompt.text,
                answer=prompt.answer,
                merged=reference.answer,
                bundle=answer,
                same_next_token=finite and int(logits_V.argmax()) == int(reference.logits_V.argmax()),
            )
        )
    return Measurements(
        comparisons=tuple(comparisons),
        num_too_long=num_too_long,
        max_logit_difference=max(differences, default=None),
        runtime_error=error,
    )


if __name__ == "__main__":
    _model, _bundle, _prompts, _out, _settings = sys.argv[1:]
    main(Path(_model), Path(_bundle), Path(_prompts), Path(_out), ConvertSettings.model_validate_json(_settings))
