"""Entry point of every step, in a pod, in a virtual environment, or by hand:

    python -m ratchet STEP INPUTS [--output FILE] [--force]

INPUTS is JSON, `@file` or `-`. Logs go to stderr, the outputs as JSON to stdout. Exit codes: see core/errors.py.
"""

import argparse
import contextlib
import importlib
import os
import shutil
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from ratchet.clients import manifests
from ratchet.clients.files import told_when_full
from ratchet.clients.settings import load
from ratchet.clients.traces import traced
from ratchet.clients.world import World
from ratchet.core import log as logs
from ratchet.core.closing import Closing, peak_memory_mib
from ratchet.core.contract import Contract
from ratchet.core.errors import Cancelled, RatchetError, TerminalError, code_of, exit_code_of
from ratchet.core.log import log
from ratchet.core.memo import KEY_VARIABLE, ErrorRecord, Manifest
from ratchet.core.telemetry import PARENT_VARIABLE, RUN_ID, within
from ratchet.steps import STEPS, Step


class OtherWork(TerminalError, ValueError):
    """Whoever started this step expects another key."""

    code = "INPUTS_REFUSED"


class BadInputs(TerminalError, ValueError):
    """The inputs are not the step's contract."""

    code = "INPUTS_REFUSED"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logs.configure()
    signal.signal(signal.SIGTERM, _stop)
    closing = _closing(options.step, fresh=options.force)
    with within(os.environ.get(PARENT_VARIABLE)):  # the last line names the trace, too
        return _run(options, closing)


def _run(options: argparse.Namespace, closing: Closing) -> int:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # MLflow and others say things there; it is for the outputs
            manifest = execute(STEPS[options.step], _read(options.inputs), closing, fresh=options.force)
    except (Exception, KeyboardInterrupt) as error:
        _say_why(error, options.step)
        return closing.say(error)
    outputs = STEPS[options.step].outputs.model_validate(manifest.outputs).model_dump_json(indent=2)
    if options.output:
        options.output.write_text(outputs + "\n", "utf-8")
    sys.stdout.write(outputs + "\n")
    return closing.say()


def execute(step: Step, raw_inputs: str, closing: Closing, fresh: bool) -> Manifest:
    """Find the work, or do it and record it. Raises what the step raised, after leaving an error record."""
    settings = load()
    inputs = _validated(step, raw_inputs)
    key = closing.key = step.key(inputs, settings, run_id=closing.run, attempt=closing.attempt, fresh=fresh)
    _check_expected(step, key)
    told = {RUN_ID: closing.run, "ratchet.attempt": closing.attempt, "ratchet.key": key, "ratchet.image": step.image}
    with traced(settings, os.environ.get(PARENT_VARIABLE), step.name, told):
        return _find_or_do(step, inputs, World(settings, settings.state / "work" / key), closing, key)


def _find_or_do(step: Step, inputs: Contract, world: World, closing: Closing, key: str) -> Manifest:
    if not step.acts and (found := manifests.find(world.store, step.name, key)):
        log.info("found, not run again", extra={"step": step.name, "key": key[:12]})
        closing.outcome = "found"
        return found
    log.info("started", extra={"step": step.name, "key": key[:12]})
    started_at, clock = datetime.now(UTC), time.monotonic()
    try:
        with told_when_full(world.settings.state):
            outputs = _runner(step)(inputs, world)
    except BaseException as error:
        _record(world, closing, key, error)
        raise
    manifest = Manifest(
        step=step.name,
        key=key,
        outputs=outputs.model_dump(mode="json"),
        started_at=started_at,
        wall_seconds=round(time.monotonic() - clock, 3),
        peak_memory_mib=peak_memory_mib(),
    )
    manifest = _written(world, step, manifest)
    shutil.rmtree(world.work, ignore_errors=True)
    return manifest


def _closing(step: str, fresh: bool) -> Closing:
    run_id = uuid.uuid4().hex if fresh else os.environ.get("RATCHET_RUN_ID", uuid.uuid4().hex)
    return Closing(step, run_id, os.environ.get("RATCHET_ATTEMPT", "1"))


def _say_why(error: BaseException, step: str) -> None:
    if isinstance(error, RatchetError):
        log.error(str(error), extra={"step": step, "exit_code": error.exit_code, "code": error.code})
    elif isinstance(error, Exception):
        log.error("a bug in the step", extra={"step": step}, exc_info=error)


def _check_expected(step: Step, key: str) -> None:
    """Raises OtherWork when whoever started this step would look for its manifest under another name."""
    expected = os.environ.get(KEY_VARIABLE, key)
    if key != expected:
        raise OtherWork(
            f"this is other work than was asked for: expected key {expected[:12]}, got {key[:12]}. The image of "
            f"{step.name} has another lock or another version of the code than the DAG: build the images anew "
            "(`make images`), or give Airflow the version that the images have"
        )


def _written(world: World, step: Step, manifest: Manifest) -> Manifest:
    """The manifest that stands. What a step did to the world is done, whether or not the store can be told."""
    try:
        return manifests.write(world.store, manifest)
    except RatchetError as error:
        if not step.acts:
            raise
        log.warning("the manifest could not be written", extra={"step": step.name, "reason": str(error)})
        return manifest


def _runner(step: Step) -> Callable[[Any, World], Contract]:
    run: Callable[[Any, World], Contract] = importlib.import_module(step.module).run
    return run


def _validated(step: Step, raw: str) -> Contract:
    try:
        return step.inputs.model_validate_json(raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'inputs'}: {e['msg']}" for e in error.errors())
        raise BadInputs(f"inputs of {step.name} are not a {step.inputs.__name__}: {problems}") from error


def _record(world: World, closing: Closing, key: str, error: BaseException) -> None:
    record = ErrorRecord(
        step=closing.step,
        key=key,
        run_id=closing.run,
        attempt=closing.attempt,
        code=code_of(error),
        error=type(error).__name__,
        message=str(error),
        exit_code=exit_code_of(error),
        traceback=None if isinstance(error, RatchetError) else "".join(traceback.format_exception(error)),
        at=datetime.now(UTC),
    )
    try:
        manifests.write_error(world.store, record)
    except RatchetError as second:
        log.warning("the error record could not be written", extra={"reason": str(second)})


def _read(inputs: str) -> str:
    if inputs == "-":
        return sys.stdin.read()
    if inputs.startswith("@"):
        return Path(inputs[1:]).read_text("utf-8")
    return inputs


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise Cancelled("told to stop; run it again to go on")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ratchet", description="Run one step.")
    parser.add_argument("step", choices=sorted(STEPS))
    parser.add_argument("inputs", help="JSON, @file or - for standard input")
    parser.add_argument("--output", type=Path, help="write the outputs to this file too")
    parser.add_argument("--force", action="store_true", help="run even if the same work is done already")
    return parser


if __name__ == "__main__":
    sys.exit(main())
