"""convert: export, bundle, compare. All native code runs contained, in processes of its own."""

import time
from pathlib import Path

from ratchet.clients.memory import memory_room
from ratchet.clients.world import World
from ratchet.convert import preflight
from ratchet.convert.bundle import LITERTLM, TFLITE
from ratchet.convert.contained import run_contained
from ratchet.convert.contract import ConvertInputs, ConvertOutputs
from ratchet.convert.parity import Measurements, decide
from ratchet.core.log import log


def run(inputs: ConvertInputs, world: World) -> ConvertOutputs:
    """Bad parity is a verdict, not an error: the bundle is stored all the same, to look into, and not to be published.

    Raises:
        NotEnoughMemory, MemoryBusy, DiskTooSmall, DiskFull: before anything is written.
        ConvertTimeout, ConvertCrashed, ConvertFailed, DiskFull: nothing is left of the attempt.
    """
    with world.scratch() as scratch:
        preflight.check_memory(inputs.model.bytes, memory_room())
        preflight.check_disk(inputs.model.bytes, scratch, preflight.disk_room(scratch))
        model = world.store.fetch_folder(inputs.model, scratch / "model")
        prompts = world.store.fetch_file(inputs.prompts, scratch / "prompts.jsonl")
        bundle, measured = _convert(inputs, model, prompts, scratch, world.settings.step_threads)
        parity = decide(measured, inputs.settings)
        log.info(
            "converted",
            extra={
                "verdict": parity.verdict,
                "prompts": len(measured.comparisons),
                "too_long": measured.num_too_long,
                **{check.name: check.candidate for check in parity.checks},
            },
        )
        return ConvertOutputs(
            bundle=world.store.put_folder(bundle),
            verdict=parity.verdict,
            checks=parity.checks,
            tflite_bytes=(bundle / TFLITE).stat().st_size,
            litertlm_bytes=(bundle / LITERTLM).stat().st_size,
            max_logit_difference=measured.max_logit_difference,
        )


def _convert(
    inputs: ConvertInputs, model: Path, prompts: Path, scratch: Path, num_threads: int
) -> tuple[Path, Measurements]:
    """One deadline for both processes."""
    ends = time.monotonic() + inputs.settings.deadline_seconds
    settings = inputs.settings.model_dump_json()
    bundle, measured = scratch / "bundle", scratch / "measured.json"
    run_contained(
        "ratchet.convert.export",
        [str(model), inputs.model.sha256, str(bundle), settings],
        doing="export to LiteRT",
        log_file=scratch / "export.log",
        deadline_seconds=inputs.settings.deadline_seconds,
        num_threads=num_threads,
    )
    run_contained(
        "ratchet.convert.measure",
        [str(model), str(bundle), str(prompts), str(measured), settings],
        doing="parity with the merged model",
        log_file=scratch / "measure.log",
        deadline_seconds=max(1.0, ends - time.monotonic()),
        num_threads=num_threads,
    )
    return bundle, Measurements.model_validate_json(measured.read_bytes())
