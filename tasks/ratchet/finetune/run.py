"""finetune: gather → train → merge → store."""

import os
from pathlib import Path

from ratchet.clients.settings import Settings
from ratchet.clients.tracking import TrainingRun, keep
from ratchet.clients.world import World
from ratchet.core.log import log
from ratchet.core.model_folder import check_model_folder
from ratchet.finetune import attempt, detect, merge, qlora
from ratchet.finetune.archive import Archive
from ratchet.finetune.contract import FinetuneInputs, FinetuneOutputs
from ratchet.finetune.tracking import Mirror

NUM_MERGE_PROMPTS = 8


def run(inputs: FinetuneInputs, world: World) -> FinetuneOutputs:
    with world.scratch() as scratch:
        base = _base(inputs, world, scratch)
        data = qlora.load_data(
            base,
            train=world.store.fetch_file(inputs.train, scratch / "train.jsonl"),
            validation=world.store.fetch_file(inputs.validation, scratch / "validation.jsonl"),
            max_seq_len_tokens=inputs.method.max_seq_len_tokens,
        )
        archive = _archive(world)
        this = attempt.begin(world.work, archive)
        params, tags = _params(inputs, world.settings), _tags(inputs)
        with Mirror(
            this.training_log,
            lambda: world.registry,
            lambda registry: registry.open_run(inputs.line, world.work.name, params, tags),
        ) as mirror:
            trained = qlora.train(
                base, data, inputs.method, _hardware(world.settings), this, adapter=scratch / "adapter"
            )
            loss = detect.check_curve(this.training_log.series("loss"), inputs.method.min_loss_drop)
            prompts = [example.prompt_ids for example in data.validation[:NUM_MERGE_PROMPTS]]
            difference = merge.merge(base, scratch / "adapter", prompts, scratch / "model")
        merge.make_portable(scratch / "adapter", inputs.base.sha256)
        outputs = FinetuneOutputs(
            adapter=world.store.put_folder(scratch / "adapter"),
            model=world.store.put_folder(scratch / "model"),
            training_log=world.store.put_file(this.training_log.path),
            num_steps=trained.num_steps,
            first_loss=loss.first,
            last_loss=loss.last,
            validation_loss=trained.validation_loss,
            num_trainable_parameters=trained.num_trainable_parameters,
            tokens_per_second=sum(this.training_log.series("num_tokens")) / sum(this.training_log.series("seconds")),
            num_resumes=this.num_resumes,
            merge_max_logit_difference=difference,
        )
    if archive:
        archive.prune_to_newest()
    training_run = TrainingRun(
        line=inputs.line, key=world.work.name, params=params, tags=tags, records=outputs.training_log
    )
    keep(world.store, training_run, told=mirror.complete)
    log.info("fine-tuned", extra=outputs.model_dump(exclude={"contract_version", "adapter", "model", "training_log"}))
    return outputs


def _base(inputs: FinetuneInputs, world: World, scratch: Path) -> Path:
    base = world.store.fetch_folder(inputs.base, scratch / "base")
    check_model_folder(base)
    merge.check_finite(base)
    return base


def _archive(world: World) -> Archive | None:
    """A pod's disk goes with the pod."""
    key = world.work.name
    return Archive(world.store.bucket, key, world.work) if world.settings.runtime == "kubernetes" else None


def _hardware(settings: Settings) -> qlora.Hardware:
    return qlora.Hardware(settings.device, settings.step_threads or len(os.sched_getaffinity(0)))


def _params(inputs: FinetuneInputs, settings: Settings) -> dict[str, str]:
    return {**{name: str(value) for name, value in inputs.method}, "device": settings.device}


def _tags(inputs: FinetuneInputs) -> dict[str, str]:
    digests = {"base": inputs.base.sha256, "train": inputs.train.sha256, "validation": inputs.validation.sha256}
    return {f"ratchet.{name}": sha256 for name, sha256 in digests.items()}
