"""A candidate as finetune leaves it: an adapter that makes a base say another word, and the two merged.

python -m tests.steps.serving.adapter BASE BASE_SHA256 ANSWER OUT      (in the train environment)

OUT/adapter  OUT/model  OUT/said.json     what the merged model says, by transformers: [{"prompt", "logprobs"}]
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tests.steps.serving.models import PROMPTS, question, teach
from transformers import AutoModelForCausalLM, AutoTokenizer

from ratchet.finetune import merge

RANK = 8


def make_adapter(base: Path, base_sha256: str, answer: str, out: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base)
    questions = [question(tokenizer, prompt) for prompt in PROMPTS]
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(model, config)
    teach(tuned, tokenizer, answer, learning_rate=1e-3)
    tuned.save_pretrained(out / "adapter")
    merge.merge(base, out / "adapter", questions[:4], out / "model")
    merge.make_portable(out / "adapter", base_sha256)
    merged = AutoModelForCausalLM.from_pretrained(out / "model", dtype=torch.float32).eval()
    said = [
        {"prompt": prompt, "logprobs": _logprobs(merged, asked)}
        for prompt, asked in zip(PROMPTS, questions, strict=True)
    ]
    (out / "said.json").write_text(json.dumps(said))


def _logprobs(model, asked: list[int]) -> list[float]:  # type: ignore[no-untyped-def]
    """Of each token of the greedy answer, the one that ends it included."""
    with torch.no_grad():
        made = model.generate(
            torch.tensor([asked]),
            do_sample=False,
            max_new_tokens=16,
            return_dict_in_generate=True,
            output_logits=True,
        )
    answer = made.sequences[0, len(asked) :]
    pairs = zip(made.logits, answer, strict=True)
    return [logits[0].log_softmax(-1)[token].item() for logits, token in pairs]


if __name__ == "__main__":
    make_adapter(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
