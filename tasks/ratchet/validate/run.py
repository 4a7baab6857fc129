"""validate: the rows that are fit for training, the rows that are not and why, and whether the batch is."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ratchet.clients.moderation import moderator_of
from ratchet.clients.world import World
from ratchet.core.contract import canonical_json
from ratchet.core.log import log
from ratchet.validate.bad_upload import plain_name
from ratchet.validate.changes import changes
from ratchet.validate.contract import EvaluationSet, ValidateInputs, ValidateOutputs
from ratchet.validate.counts import batch_metrics, labels_of
from ratchet.validate.examples import with_texts
from ratchet.validate.expect import batch_refusals
from ratchet.validate.judge import JudgedRows
from ratchet.validate.page import render
from ratchet.validate.policy import actions_of
from ratchet.validate.receipt import receipt
from ratchet.validate.rules import length_rules, row_rules
from ratchet.validate.screens.all import screens_of
from ratchet.validate.screens.tokens import TrainingLength
from ratchet.validate.upload import open_upload


def run(inputs: ValidateInputs, world: World) -> ValidateOutputs:
    rules = row_rules(inputs.rules)
    inputs = inputs.model_copy(update={"file_name": plain_name(inputs.file_name)})
    with ExitStack() as stack:
        scratch = stack.enter_context(world.scratch())
        screens = screens_of(
            inputs.rules,
            _fetched(inputs.evaluation_sets, world, scratch),
            _length(inputs, world, scratch),
            moderator_of(inputs.rules.toxicity, world.settings.secrets),
        )
        actions = actions_of((*rules, *screens), inputs.rules.actions)
        rows = stack.enter_context(JudgedRows(scratch, actions, inputs.rules.max_upload_bytes))
        path = world.store.fetch_file(inputs.upload, scratch / "upload")
        upload = open_upload(path, inputs.file_name, inputs.rules.max_upload_bytes)
        columns = rows.judge(upload, inputs.text_column, inputs.label_column, rules, inputs.rules.source_columns)
        previous = world.store.fetch_file(inputs.previous, scratch / "previous.jsonl") if inputs.previous else None
        rows.screen(screens, previous)
        rows.judge_again(length_rules(inputs.rules))
        counts = rows.counts((*rules, *screens))
        shown = with_texts(rows.ask, counts.reasons, screens, inputs.rules.phone_regions)
        changed = changes(rows.ask, inputs.usual_shifts)
        refusals = batch_refusals(
            inputs.rules, batch_metrics(counts, labels_of(counts, rows.ask, inputs.rules.min_rows))
        )
        accepted = world.store.put_file(rows.write_accepted(scratch / "accepted.jsonl"))
        quarantine = world.store.put_file(rows.write_quarantine(scratch / "quarantine.jsonl"))
    told = receipt(
        inputs,
        columns=columns,
        counts=replace(counts, reasons=shown),  # the outputs, which Airflow and manifests keep, have row numbers alone
        changes=changed,
        refusals=refusals,
        accepted=accepted,
        quarantine=quarantine,
    )
    log.info(
        "validated", extra={name: told[name] for name in ("file", "status", "num_read", "num_quarantined", "refusals")}
    )
    return ValidateOutputs(
        status="REFUSED" if refusals else "ACCEPTED",
        accepted=accepted,
        quarantine=quarantine,
        receipt=world.store.put_bytes(canonical_json(told)),
        page=world.store.put_bytes(render(told)),
        num_read=counts.num_read,
        num_accepted=counts.num_accepted,
        num_quarantined=counts.num_quarantined,
        num_redacted=counts.num_redacted,
        num_warned=counts.num_warned,
        num_labels=counts.num_labels,
        reasons=counts.reasons,
        changes=changed,
        refusals=refusals,
    )


def _fetched(sets: Iterable[EvaluationSet], world: World, scratch: Path) -> dict[str, Path]:
    return {one.name: world.store.fetch_file(one.data, scratch / f"{one.name}.questions") for one in sets}


def _length(inputs: ValidateInputs, world: World, scratch: Path) -> TrainingLength | None:
    if inputs.base is None:
        return None
    base = world.store.fetch_folder(inputs.base, scratch / "base", without=".safetensors")
    return TrainingLength(base, inputs.prompt, inputs.max_seq_len_tokens)
