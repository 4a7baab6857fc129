"""Packs a .tflite, its tokenizer and how to talk to it into one .litertlm file, the format of the LiteRT-LM runtime."""

import json
import uuid
from pathlib import Path
from typing import Any

from ratchet.convert.contract import ConvertSettings
from ratchet.core.contract import Contract, Sha256

TFLITE = "model.tflite"
LITERTLM = "model.litertlm"
DEFAULTS = "bundle.json"
TOKENIZER = "tokenizer.json"
_TOKENIZER_FILES = (TOKENIZER, "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json")
# What the runtime has data processing of its own for (the rest are "generic"): transformers' model_type → its field.
_RUNTIME_MODEL_TYPES = {"qwen3": "qwen3", "qwen2": "qwen2p5", "gemma3_text": "gemma3"}


class BundleDefaults(Contract):
    """bundle.json: what a caller of the bundle gets who asks for nothing else.

    All but `max_tokens` is inside model.litertlm too, where the runtime reads it: its metadata has no field for a
    default answer length, so callers pass `max_tokens` as `max_output_tokens`. `context_tokens` holds both prompt
    and answer.
    """

    schema_version: int = 1
    model_sha256: Sha256
    quantization: str
    context_tokens: int
    max_tokens: int
    top_k: int
    temperature: float
    seed: int
    stop_token_ids: tuple[int, ...]
    pad_token_id: int | None


def write_bundle(model: Path, model_sha256: str, folder: Path, settings: ConvertSettings) -> None:
    """Add tokenizer, bundle.json and model.litertlm to `folder`, which holds model.tflite.

    The same files make the same bytes.
    """
    for name in _TOKENIZER_FILES:
        if (model / name).exists():
            (folder / name).write_bytes((model / name).read_bytes())
    defaults = bundle_defaults(model, model_sha256, settings)
    (folder / DEFAULTS).write_bytes(defaults.canonical_json())
    metadata = folder / "metadata.pb"
    metadata.write_bytes(_metadata(model, defaults))
    _build(folder, metadata, defaults)
    metadata.unlink()


def bundle_defaults(model: Path, model_sha256: str, settings: ConvertSettings) -> BundleDefaults:
    generation = _read_json(model / "generation_config.json")
    config = _read_json(model / "config.json")
    stops = generation.get("eos_token_id", config.get("eos_token_id"))
    return BundleDefaults(
        model_sha256=model_sha256,
        quantization=settings.quantization,
        context_tokens=settings.cache_length,
        stop_token_ids=tuple(sorted(stops if isinstance(stops, list) else [] if stops is None else [stops])),
        pad_token_id=generation.get("pad_token_id", config.get("pad_token_id")),
        **settings.sampling.model_dump(),
    )


def _metadata(model: Path, defaults: BundleDefaults) -> bytes:
    from litert_lm_builder.runtime.proto import llm_metadata_pb2, sampler_params_pb2

    metadata = llm_metadata_pb2.LlmMetadata()
    for token_id in defaults.stop_token_ids:
        metadata.stop_tokens.add().token_ids.ids.append(token_id)
    if defaults.pad_token_id is not None:
        metadata.pad_token.token_ids.ids.append(defaults.pad_token_id)
    # The runtime (0.18) has this sampler only: with GREEDY or TOP_K it loads, and fails every conversation.
    metadata.sampler_params.type = sampler_params_pb2.SamplerParameters.TOP_P
    metadata.sampler_params.p = 1.0
    metadata.sampler_params.k = defaults.top_k
    metadata.sampler_params.temperature = defaults.temperature
    metadata.sampler_params.seed = defaults.seed
    metadata.max_num_tokens = defaults.context_tokens
    metadata.jinja_prompt_template = chat_template(model)
    model_type = _read_json(model / "config.json")["model_type"]
    getattr(metadata.llm_model_type, _RUNTIME_MODEL_TYPES.get(model_type, "generic_model")).SetInParent()
    return bytes(metadata.SerializeToString(deterministic=True))


def chat_template(model: Path) -> str:
    file = model / "chat_template.jinja"
    if file.exists():
        return file.read_text("utf-8")
    return str(_read_json(model / "tokenizer_config.json")["chat_template"])


def _build(folder: Path, metadata: Path, defaults: BundleDefaults) -> None:
    import litert_lm_builder
    from litert_lm_builder import litertlm_builder

    def text(key: str, value: str) -> Any:
        return litert_lm_builder.Metadata(key=key, value=value, dtype=litert_lm_builder.DType.STRING)

    # The builder stamps a random id and the time of day; both must come from the content instead.
    stamps = [
        text("uuid", str(uuid.uuid5(uuid.NAMESPACE_OID, defaults.model_sha256))),
        text("creation_timestamp", "1970-01-01T00:00:00+00:00"),
    ]
    litertlm_builder.populate_system_metadata = lambda entries: [*entries, *stamps]
    builder = litert_lm_builder.LitertLmFileBuilder()
    builder.add_system_metadata(text("Authors", "Ratchet"))
    builder.add_system_metadata(text("max_output_tokens", str(defaults.max_tokens)))
    builder.add_llm_metadata(str(metadata))
    builder.add_hf_tokenizer(str(folder / TOKENIZER))
    builder.add_tflite_model(str(folder / TFLITE), litert_lm_builder.TfLiteModelType.PREFILL_DECODE)
    with (folder / LITERTLM).open("wb") as file:
        builder.build(file)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content
