"""Where the records of finished and failed work are."""

from datetime import datetime

from ratchet.clients.store import Store
from ratchet.core.memo import ErrorRecord, Manifest

MAX_RECORDS = 500  # each is read from the store, which may be far away


def find(store: Store, step: str, key: str) -> Manifest | None:
    content = store.get(f"manifests/{step}/{key}.json")
    return None if content is None else Manifest.model_validate_json(content)


def write(store: Store, manifest: Manifest) -> Manifest:
    """Record the work as done; the manifest that stands afterwards (the first one wins)."""
    store.create(f"manifests/{manifest.step}/{manifest.key}.json", manifest)
    return find(store, manifest.step, manifest.key) or manifest


def write_error(store: Store, record: ErrorRecord) -> None:
    store.create(f"{_errors(record.step, record.key)}{record.at:%Y%m%dT%H%M%S.%f}.json", record)


def newest_error(store: Store, step: str, key: str, since: datetime) -> ErrorRecord | None:
    """The last failure of this work, if it is not older than `since`."""
    keys = store.keys(_errors(step, key))
    content = store.get(keys[-1]) if keys else None
    record = None if content is None else ErrorRecord.model_validate_json(content)
    return record if record and record.at >= since else None


def last_failure(store: Store, run_id: str | None = None) -> ErrorRecord | None:
    """The newest of all steps' error records, or of one run's; None when there is none among the newest MAX_RECORDS."""
    newest = sorted(store.keys("errors/"), key=lambda key: key.rpartition("/")[2], reverse=True)
    for key in newest[:MAX_RECORDS]:
        content = store.get(key)
        record = ErrorRecord.model_validate_json(content) if content else None
        if record and run_id in (None, record.run_id):
            return record
    return None


def _errors(step: str, key: str) -> str:
    return f"errors/{step}/{key}/"
