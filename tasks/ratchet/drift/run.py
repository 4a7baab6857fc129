"""drift: sample both sides, ask the base model what each text is about, and judge how far the two lie apart."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from ratchet.clients.captured import digest_of, exchanges
from ratchet.clients.world import World
from ratchet.core.chat import without_prompt
from ratchet.core.drift import EMBEDDING, FEATURES, MIN_ROWS, Distance, Row, Shift, shifts, unusual
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.log import log
from ratchet.core.model_folder import check_model_folder
from ratchet.drift.contract import Captured, DriftInputs, DriftOutputs
from ratchet.drift.embed import embeddings
from ratchet.drift.energy import apart
from ratchet.drift.sample import answers_with_labels, as_captured, rows_of, sample


class TooFewTexts(NothingToDo, ValueError):
    """Nothing can be said of so few."""


class CaptureChanged(TerminalError, ValueError):
    """What was kept is not any more what was counted; only a new run counts again."""

    code = "CAPTURE_CHANGED"


def run(inputs: DriftInputs, world: World) -> DriftOutputs:
    with world.scratch() as scratch:
        reference = world.store.fetch_file(inputs.reference, scratch / "reference.jsonl")
        before, now = _both_sides(inputs, world, reference, scratch)
        if min(len(now), len(before)) < MIN_ROWS:
            raise TooFewTexts(f"{len(now)} different texts against {len(before)}: expected at least {MIN_ROWS} of each")
        base = world.store.fetch_folder(inputs.base, scratch / "base")
        check_model_folder(base)
        embedding = _judged(inputs, world, base, now, before)
    moved = _told(now, before, inputs) if isinstance(inputs.current, Captured) else ()
    log.info("compared", extra={"num_texts": len(now), **embedding.model_dump(), "drifted": embedding.drifted})
    return DriftOutputs(num_reference=len(before), num_current=len(now), shifts=moved, embedding=embedding)


def _both_sides(inputs: DriftInputs, world: World, reference: Path, scratch: Path) -> tuple[list[Row], list[Row]]:
    num_rows, seed = inputs.settings.sample_rows, inputs.seed
    if not isinstance(inputs.current, Captured):
        current = world.store.fetch_file(inputs.current, scratch / "current.jsonl")
        return sample(rows_of(reference), num_rows, seed), sample(rows_of(current), num_rows, seed)
    days = inputs.current
    found = exchanges(world.settings.capture_dir, days.first_day, days.last_day)
    if digest_of(found) != days.sha256:
        raise CaptureChanged(
            f"what users asked from {days.first_day} to {days.last_day} changed since it was counted (some was erased, "
            "or its time was over): start the DAG's run anew, which counts again"
        )
    asked = ((without_prompt(one.text, inputs.prompt), one.answer) for one in found)
    return sample(as_captured(rows_of(reference)), num_rows, seed), sample(asked, num_rows, seed)


def _judged(inputs: DriftInputs, world: World, base: Path, now: Sequence[Row], before: Sequence[Row]) -> Distance:
    texts = [text for text, _ in chain(now, before)]
    found_NH = embeddings(base, texts, device=world.settings.device, max_tokens=inputs.settings.max_text_tokens)
    found = apart(found_NH[: len(now)], found_NH[len(now) :], inputs.seed)
    limit = max(found.by_chance, unusual(inputs.usual.get(EMBEDDING, ())))
    return Distance(distance=found.distance, limit=limit)


def _told(now: Sequence[Row], before: Sequence[Row], inputs: DriftInputs) -> tuple[Shift, ...]:
    """Words and answers that only users have stay out: what is put out is kept, what users ask is erased in days."""
    features = [one for one in FEATURES if one.name != "label" or answers_with_labels(now, before)]
    known = {one.name: set(chain.from_iterable(map(one.values, before))) for one in features if one.name != "length"}
    return tuple(_known_only(shift, known.get(shift.feature)) for shift in shifts(now, before, inputs.usual, features))


def _known_only(shift: Shift, known: set[str] | None) -> Shift:
    movers = tuple(mover for mover in shift.movers if known is None or mover.category in known)
    return shift.model_copy(update={"movers": movers})
