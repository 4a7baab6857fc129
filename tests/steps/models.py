"""A whole model folder in a moment: real Qwen3, real tokenizer, random weights, for the tests of every step."""

from pathlib import Path

TURN_END = "<|im_end|>"
# Content is a string from most callers and a list of parts from LiteRT-LM: both must read the same.
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOKENIZER_TEXTS = [
    "Give a label for this text: My card has not arrived yet and I have been waiting for two weeks.",
    "Give a label for this text: I was charged twice for the same order, please refund one of them.",
    "Give a label for this text: How do I change the password of my account?",
    "card_arrival refund_request change_password cancel_order track_parcel user assistant system",
    "What is 12 + 7? 19 What is 30 - 4? 26",
]


def make_tiny_model(
    folder: Path,
    *,
    seed: int = 0,
    layers: int = 2,
    hidden: int = 64,
    vocab_size: int = 320,
    max_position_embeddings: int = 512,
    last_norm: float = 1.0,
) -> Path:
    """Write a random-initialised Qwen3 (fp32 safetensors), tokenizer and ChatML template to `folder`; returns it.

    `hidden` must be a multiple of 32: four heads, two key-value heads, NF4 blocks of 64 values. The tokenizer knows
    every byte, so any text encodes. The same arguments make the same bytes. `last_norm` scales the logits: random
    embeddings are short, so that with 1.0 a model learns slowly to be sure, and by an adapter, which leaves them as
    they are, never.
    """
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    tokenizer = make_tiny_tokenizer(vocab_size)
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=max(16, hidden // 4),
            max_position_embeddings=max_position_embeddings,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            dtype="float32",
        )
    )
    model.model.norm.weight.data.fill_(last_norm)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=32,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tiny_tokenizer(vocab_size: int = 320):  # type: ignore[no-untyped-def]
    """Byte-level BPE trained on `TOKENIZER_TEXTS`; `<|im_end|>` ends a turn, `<|endoftext|>` pads."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|endoftext|>", "<|im_start|>", TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TOKENIZER_TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )
