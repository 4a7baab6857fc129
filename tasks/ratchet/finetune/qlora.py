"""The training itself: NF4 QLoRA by TRL, resumable to the bit, loss on the answers only."""

import logging
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import datasets
import torch
import transformers
import trl
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PrinterCallback, TrainerCallback

from ratchet.core.errors import Cancelled, TerminalError
from ratchet.core.log import progress
from ratchet.core.telemetry import span
from ratchet.finetune import detect
from ratchet.finetune.attempt import Attempt
from ratchet.finetune.contract import QloraSettings
from ratchet.finetune.examples import Example, encode, num_tokens, read_rows
from ratchet.finetune.order import plan_batches

NUM_PROGRESS_LINES = 50
MAX_ROWS_TOLD = 8


@dataclass(frozen=True)
class Hardware:
    """`num_threads` also decides the last bits of the result: the order of a sum's parts depends on it."""

    device: Literal["cpu", "cuda"]
    num_threads: int

    @property
    def compute_dtype(self) -> Any:
        """bf16 without hardware for it is some 12 times slower than fp32."""
        return torch.bfloat16 if self.device == "cuda" else torch.float32


@dataclass(frozen=True)
class Data:
    train: list[Example]
    validation: list[Example]


@dataclass(frozen=True)
class Trained:
    num_steps: int
    validation_loss: float
    num_trainable_parameters: int


class TrainOutOfMemory(TerminalError, MemoryError):
    """A batch needs more memory than the device has; it would at every attempt."""

    code = "TRAIN_OOM"


def load_data(base: Path, train: Path, validation: Path, max_seq_len_tokens: int) -> Data:
    tokenizer = _tokenizer(base)
    return Data(
        train=encode(tokenizer, read_rows(train), max_seq_len_tokens),
        validation=encode(tokenizer, read_rows(validation), max_seq_len_tokens),
    )


@span("train")
def train(
    base: Path, data: Data, method: QloraSettings, hardware: Hardware, attempt: Attempt, *, adapter: Path
) -> Trained:
    """Train to the last step, from where `attempt` goes on, and save to `adapter`. The log gets a record per step.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the checkpoint of the step that was running is sealed.
        LearnedNothing: loss or gradient is NaN.
        TrainOutOfMemory: a batch did not fit.
    """
    _be_quiet()
    torch.set_num_threads(hardware.num_threads)
    stop = StopRequest()
    trainer = _trainer(base, data, method, hardware, attempt, stop=stop)
    with stop, told_if_out_of_memory(trainer):
        trainer.train(resume_from_checkpoint=str(attempt.resume.folder) if attempt.resume else None)
    if stop.came:
        raise Cancelled(f"told to stop; the checkpoint of step {trainer.state.global_step} is kept, a retry resumes it")
    validation_loss = trainer.evaluate()["eval_loss"]
    attempt.training_log.append(trainer.state.max_steps, {"validation_loss": validation_loss})
    attempt.training_log.sync()
    trainer.model.save_pretrained(adapter)
    trainable = sum(parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad)
    return Trained(trainer.state.max_steps, validation_loss=validation_loss, num_trainable_parameters=trainable)


@contextmanager
def told_if_out_of_memory(trainer: Any) -> Iterator[None]:
    """Raises TrainOutOfMemory with the step and the batch that did not fit."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's own kind on a GPU; its CPU allocator says it in words
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        step = trainer.state.global_step
        rows = trainer.planned[step]
        lengths = [len(trainer.train_dataset[row]["input_ids"]) for row in rows]
        raise TrainOutOfMemory(
            f"step {step + 1} of {trainer.state.max_steps} does not fit into memory: {len(rows)} rows of up to "
            f"{max(lengths)} tokens, {trainer.args.per_device_train_batch_size} at a time (rows of the training set "
            f"{', '.join(map(str, rows[:MAX_ROWS_TOLD]))}, …); lower micro_batch_size or max_seq_len_tokens, or turn "
            f"gradient_checkpointing on. {str(error).splitlines()[0]}"
        ) from error


class StopRequest:
    """Within the context, SIGTERM and SIGINT are noted instead of obeyed: training stops after the step it is in."""

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self.came = True


class _Watch(TrainerCallback):  # type: ignore[misc]
    """Everything that happens beside the numbers: the log, progress, sealed checkpoints, stopping."""

    def __init__(self, attempt: Attempt, tokens_per_step: list[int], stop: StopRequest) -> None:
        self._checkpoints = attempt.checkpoints
        self._archive = attempt.archive
        self._training_log = attempt.training_log
        self._tokens_per_step = tokens_per_step
        self._stop = stop
        self._clock = 0.0
        self._seconds: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._clock = time.monotonic()

    def on_step_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        if self._stop.came:
            control.should_save = control.should_training_stop = True

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" not in logs:  # the trainer's own closing summary
            return
        detect.check_step(state.global_step, logs)
        now = time.monotonic()
        self._seconds.append(now - self._clock)
        self._clock = now
        measured = {name: float(logs[name]) for name in ("loss", "grad_norm", "learning_rate")}
        tokens = self._tokens_per_step[state.global_step - 1]
        speed = {"num_tokens": float(tokens), "seconds": round(self._seconds[-1], 4)}
        self._training_log.append(state.global_step, measured | speed)
        self._tell(state.global_step, state.max_steps, logs["loss"])

    def on_save(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self._training_log.sync()
        self._checkpoints.seal(state.global_step)
        if self._archive:
            self._archive.keep(state.global_step)

    def _tell(self, step: int, steps: int, loss: float) -> None:
        every = -(-steps // NUM_PROGRESS_LINES)
        if step % every and step != steps:
            return
        recent = self._seconds[-every:]
        tokens = sum(self._tokens_per_step[step - len(recent) : step])
        progress(step=step, steps=steps, loss=round(loss, 4), tokens_per_second=round(tokens / sum(recent)))


class _PlannedTrainer(trl.SFTTrainer):  # type: ignore[misc]
    """Reads the rows in the planned order, and writes no model card: it would say nothing, and not reproducibly."""

    planned: list[list[int]]

    def _get_train_sampler(self, *_: Any) -> list[int]:
        return [row for batch in self.planned for row in batch]

    def create_model_card(self, *_: Any, **__: Any) -> None:
        pass


def _trainer(
    base: Path, data: Data, method: QloraSettings, hardware: Hardware, attempt: Attempt, *, stop: StopRequest
) -> _PlannedTrainer:
    lengths = [len(example.input_ids) for example in data.train]
    batches = plan_batches(lengths, method.batch_size, method.num_steps(len(lengths)), method.seed)
    tokens_per_step = [num_tokens(data.train[row] for row in batch) for batch in batches]
    on_cpu = hardware.device == "cpu"
    micro_batch = method.micro_batch_size or method.batch_size
    trainer = _PlannedTrainer(
        model=_quantized(base, hardware),
        processing_class=_tokenizer(base),
        train_dataset=_dataset(data.train),
        eval_dataset=_dataset(sorted(data.validation, key=lambda example: len(example.input_ids))),
        peft_config=LoraConfig(
            r=method.r,
            lora_alpha=method.lora_alpha,
            lora_dropout=method.lora_dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        args=trl.SFTConfig(
            output_dir=str(attempt.checkpoints.folder),
            max_steps=len(batches),
            per_device_train_batch_size=micro_batch,
            gradient_accumulation_steps=method.batch_size // micro_batch,
            per_device_eval_batch_size=micro_batch,
            learning_rate=method.learning_rate,
            warmup_steps=method.warmup_steps,
            lr_scheduler_type="linear",
            seed=method.seed,
            max_length=None,  # the examples are encoded and fit already
            use_cpu=on_cpu,
            bf16=not on_cpu,
            fp16=False,
            gradient_checkpointing=method.gradient_checkpointing,
            dataloader_pin_memory=not on_cpu,
            save_steps=method.save_steps,
            logging_steps=1,
            logging_nan_inf_filter=False,  # else NaN is logged as the mean of the steps before
            report_to="none",
            disable_tqdm=True,
        ),
        callbacks=[_Watch(attempt, tokens_per_step, stop)],
    )
    trainer.planned = batches
    trainer.remove_callback(PrinterCallback)  # stdout is for data
    # TRL casts the adapter of a 4-bit model to bf16, a resume loads it as fp32: only fp32 throughout is bit-equal.
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return trainer


def _tokenizer(base: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(base, local_files_only=True)


def _quantized(base: Path, hardware: Hardware) -> Any:
    model = AutoModelForCausalLM.from_pretrained(
        base,
        local_files_only=True,
        dtype=hardware.compute_dtype,
        device_map=None if hardware.device == "cpu" else {"": 0},
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=hardware.compute_dtype
        ),
    )
    for module in model.modules():
        if isinstance(module, Linear4bit):
            # Else evaluation computes in bf16 wherever the processor has AVX512-BF16, and the loss depends on the host.
            module.support_avx512bf16_for_cpu = False
    return model


def _dataset(examples: Sequence[Example]) -> datasets.Dataset:
    return datasets.Dataset.from_dict(
        {"input_ids": [e.input_ids for e in examples], "labels": [e.labels for e in examples]}
    )


def _be_quiet() -> None:
    """stderr is for our own events: no progress bars, no advice, no deprecations among the libraries themselves."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
