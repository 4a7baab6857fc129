"""Fine-tunes that the tracking server missed: their logs are in the store, and are told to it as soon as it is back.

tracking/<line>/<key>/run.json   what there is to tell, written when the training ends
tracking/<line>/<key>/told       it has been told
"""

import json

from ratchet.clients.registry import MetricRecord, Registry
from ratchet.clients.store import Store
from ratchet.core.contract import Contract, Name
from ratchet.core.log import log
from ratchet.core.refs import FileRef


class TrainingRun(Contract):
    """One fine-tune as the tracking server shows it; `records` are lines of MetricRecord.

    `key` is the name of the step's work folder, by which an attempt that resumes finds its run again.
    """

    line: Name
    key: str
    params: dict[str, str]
    tags: dict[str, str]
    records: FileRef


def keep(store: Store, run: TrainingRun, *, told: bool) -> None:
    store.create(f"{_folder(run)}/run.json", run)
    if told:
        store.create(f"{_folder(run)}/told", {})


def tell_missed_runs(store: Store, registry: Registry, line: str) -> None:
    """Never raises for the registry's sake: what it does not take now it is told the next time."""
    keys = set(store.keys(f"tracking/{line}/"))
    for key in sorted(keys):
        folder, _, name = key.rpartition("/")
        if name == "run.json" and f"{folder}/told" not in keys:
            run = TrainingRun.model_validate_json(store.get(key) or b"")
            try:
                _tell(store, registry, run)
            except Exception as error:  # a mirror must not fail what it mirrors
                log.warning("the tracking server still misses a run", extra={"run": run.key[:12], "error": str(error)})
                return


def _tell(store: Store, registry: Registry, run: TrainingRun) -> None:
    records = [MetricRecord(**json.loads(line)) for line in store.read_bytes(run.records).splitlines()]
    run_id = registry.open_run(run.line, run.key, run.params, run.tags)
    registry.log_metrics(run_id, records)
    registry.finish_run(run_id)
    store.create(f"{_folder(run)}/told", {})
    log.info("told the tracking server of a run it missed", extra={"run": run.key[:12], "num_records": len(records)})


def _folder(run: TrainingRun) -> str:
    return f"tracking/{run.line}/{run.key}"
