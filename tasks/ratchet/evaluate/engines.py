"""What generates while lm-eval asks: transformers anywhere, vLLM where there is a GPU. Both say how far they are."""

import os
from pathlib import Path
from typing import Any, Literal

from ratchet.core.errors import TerminalError
from ratchet.core.log import progress

Engine = Literal["transformers", "vllm"]


class NoEngine(TerminalError, ImportError):
    """The engine that the recipe asks for is not installed here."""

    code = "NOT_SET_UP"


class UnusableModel(TerminalError, ValueError):
    """The model cannot be measured."""

    code = "MODEL_INVALID"


def load_lm(engine: Engine, model: Path, *, device: str, dtype: str, batch_size: int, seed: int) -> Any:
    """lm-eval's model of this folder, asked by `batch_size` prompts at a time. Raises UnusableModel, NoEngine."""
    _check_numbers(model)
    make = _vllm if engine == "vllm" else _transformers
    try:
        return make(model, device=device, dtype=dtype, batch_size=batch_size, seed=seed)
    except ModuleNotFoundError as error:
        raise NoEngine(
            f"this environment has no {error.name}: the recipe's eval_engine is {engine!r}, which the CUDA image of "
            'evaluate holds; write `transformers`, or run with device = "cuda"'
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise UnusableModel(f"{model}: {engine} cannot load this folder: {error}") from error


def packages(engine: Engine) -> tuple[str, ...]:
    """Whose versions can change an answer."""
    return ("lm-eval", "transformers", "torch", *(("vllm",) if engine == "vllm" else ()))


def batch_size_of(lm: Any) -> int:
    return int(lm.batch_size)


def set_batch_size(lm: Any, batch_size: int) -> None:
    """transformers' wrapper shows its batch size by a property over another name."""
    setattr(lm, "batch_size_per_gpu" if hasattr(lm, "batch_size_per_gpu") else "batch_size", batch_size)


class _Reporting:
    """Over either of lm-eval's classes: says how far it is, and refuses prompts that would lose their beginning."""

    planned = answered = 0

    def generate_until(self, requests: list[Any], **_: Any) -> Any:
        for request in requests:
            _check_length(self, request)
        return super().generate_until(requests, disable_tqdm=True)  # type: ignore[misc]

    def _loglikelihood_tokens(self, requests: list[Any], *more: Any, **settings: Any) -> Any:
        for asked, prompt, answer in requests:
            _check_choice_length(self, asked, len(prompt) + len(answer))
        return super()._loglikelihood_tokens(requests, *more, **settings)  # type: ignore[misc]

    def _model_generate(self, *asked: Any, **settings: Any) -> Any:
        answers = super()._model_generate(*asked, **settings)  # type: ignore[misc]
        self.answered += len(answers)
        progress(step=self.answered, steps=self.planned)
        return answers


def _transformers(model: Path, *, device: str, dtype: str, batch_size: int, seed: int) -> Any:  # noqa: ARG001 - greedy
    from lm_eval.models.huggingface import HFLM

    class Lm(_Reporting, HFLM):  # type: ignore[misc]
        pass

    lm = Lm(pretrained=str(model), device=device, dtype=dtype, batch_size=batch_size, trust_remote_code=False)
    # The task says how long an answer may be; the model's own default would win over it.
    lm.model.generation_config.max_new_tokens = None
    return lm


def _vllm(model: Path, *, device: str, dtype: str, batch_size: int, seed: int) -> Any:
    # In a process of its own the scheduler's batches depend on the clock.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    from lm_eval.models.vllm_causallms import VLLM

    class Lm(_Reporting, VLLM):  # type: ignore[misc]
        pass

    return Lm(
        pretrained=str(model),
        dtype=dtype,
        batch_size=batch_size,
        seed=seed,
        enforce_eager=device == "cpu",  # its compiler wants a GPU, or a C++ compiler
        trust_remote_code=False,
    )


def _check_numbers(folder: Path) -> None:
    """NaN weights do not raise: the answers come out empty, and look like those of a bad model."""
    from safetensors import safe_open

    for shard in sorted(folder.glob("*.safetensors")):
        with safe_open(shard, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a mapping
                if not tensors.get_tensor(name).isfinite().all():
                    raise UnusableModel(
                        f"{folder}: tensor {name} holds NaN or infinity; train or convert the model again"
                    )


def _check_length(lm: Any, request: Any) -> None:
    prompt, settings = request.args
    longest = lm.max_length - settings.get("max_gen_toks", lm.max_gen_toks)
    num_tokens = len(lm.tok_encode(prompt))
    if num_tokens > longest:
        raise UnusableModel(
            f"task {request.task_name}: the prompt {prompt[:60]!r}… has {num_tokens} tokens, the model takes {longest} "
            "and the answer; leave the row out of the task's data, or take a model with a longer context"
        )


def _check_choice_length(lm: Any, asked: Any, num_tokens: int) -> None:
    """A choice's last token is predicted, not read."""
    if num_tokens > lm.max_length + 1:
        raise UnusableModel(
            f"the prompt {str(asked[0])[:60]!r}… and its answer have {num_tokens} tokens, the model takes "
            f"{lm.max_length}; leave the row out of the task's data, ask with fewer examples, or take a model with a "
            "longer context"
        )
