"""convert: the merged model as a LiteRT bundle, and how far it agrees with what it was made from."""

from pydantic import Field, PositiveInt

from ratchet.core.checks import CheckResult, Verdict
from ratchet.core.contract import Contract
from ratchet.core.refs import FileRef, FolderRef


class SamplingDefaults(Contract):
    """What the bundle's runtime uses when its caller says nothing. `top_k = 1` is greedy, whatever the temperature."""

    max_tokens: PositiveInt = 48
    top_k: PositiveInt = 1
    temperature: float = Field(default=0.0, ge=0.0)
    seed: int = 0


class ConvertSettings(Contract):
    """`cache_length` and `prefill_length` are in tokens. `num_parity_prompts` is at most: a smaller split gives fewer.

    The thresholds are judged with noise in mind, so they need prompts: 88 that all agree, or 500 of which 2 % change
    from right to wrong or back (power 0.99).
    """

    quantization: str = "dynamic_wi8_afp32"
    prefill_length: PositiveInt = 128
    cache_length: PositiveInt = 256
    sampling: SamplingDefaults = SamplingDefaults()
    num_parity_prompts: PositiveInt = 500
    min_top1_agreement: float = Field(default=0.95, gt=0.0, lt=1.0)
    max_label_accuracy_drop: float = Field(default=0.03, gt=0.0, lt=1.0)
    min_same_answers: float = Field(default=0.8, gt=0.0, lt=1.0)
    deadline_seconds: PositiveInt = 900


class ConvertInputs(Contract):
    """`prompts` is prepare's test split."""

    contract_version: int = 1
    model: FolderRef
    prompts: FileRef
    settings: ConvertSettings


class ConvertOutputs(Contract):
    """`bundle` holds model.tflite, model.litertlm, the tokenizer and bundle.json.

    It is there whatever the verdict, to look into; only a bundle with `verdict="PASS"` may be published.
    `max_logit_difference` is None when the bundle gave no finite logits.
    """

    contract_version: int = 1
    bundle: FolderRef
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    tflite_bytes: PositiveInt
    litertlm_bytes: PositiveInt
    max_logit_difference: float | None
