"""What the tasks of a run did, as the manifests of their steps say."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from ratchet.core.costs import StepWork, TaskDone
from ratchet.core.memo import Manifest

_REF = {"uri", "sha256", "bytes"}


def tasks_done(work: Sequence[StepWork], manifests: Sequence[Manifest | None]) -> tuple[TaskDone, ...]:
    """In the order of `work`, but for tasks without a manifest; the first is resolve's, which begins the run.

    A digest is counted where it first appears: later steps pass it on, and what resolve names was there before.
    """
    began = manifests[0]
    if began is None:
        return ()
    known, done = set(_stored(began.outputs)), []
    for task, manifest in zip(work, manifests, strict=True):
        if manifest is None:
            continue
        stored = _stored(manifest.outputs)
        was_found = manifest.started_at < began.started_at
        done.append(
            TaskDone(
                task=task.task,
                step=task.step,
                acts=task.acts,
                was_found=was_found,
                seconds=0.0 if was_found else manifest.wall_seconds,
                new_bytes=0 if was_found else sum(stored[sha256] for sha256 in stored.keys() - known),
            )
        )
        known |= stored.keys()
    return tuple(done)


def overlap_seconds(manifests: Sequence[Manifest | None]) -> float:
    """From the begin of stage, which loads the second colour, to the end of the last step there is."""
    present = [manifest for manifest in manifests if manifest]
    staged = [manifest.started_at for manifest in present if manifest.step == "stage"]
    if not staged:
        return 0.0
    ended = max(manifest.started_at + timedelta(seconds=manifest.wall_seconds) for manifest in present)
    return (ended - staged[0]).total_seconds()


def _stored(outputs: Any) -> dict[str, int]:
    """Bytes by digest, of every ref among a step's outputs."""
    return dict(_refs(outputs))


def _refs(value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict) and value.keys() == _REF:
        yield value["sha256"], value["bytes"]
        return
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for item in inner:
        yield from _refs(item)
