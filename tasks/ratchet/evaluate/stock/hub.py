"""Where a stock task's data come from: said while it loads, refused in one sentence, and never as code."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import datasets
import evaluate

from ratchet.core.errors import TransientError
from ratchet.core.log import log
from ratchet.evaluate.stock.config import Unsupported

_REVISION = re.compile(r"@([0-9a-f]{40})/")


class HubAway(TransientError, ConnectionError):
    """The data cannot be reached from here."""

    code = "UNAVAILABLE"


@contextmanager
def data_alone() -> Iterator[None]:
    """Within, lm-eval's tasks may load data sets, and nothing that brings code along. Raises HubAway, Unsupported."""
    load_dataset, load_metric = datasets.load_dataset, evaluate.load

    def load_data(path: str, name: str | None = None, **options: Any) -> Any:
        log.info("data set", extra={"dataset": path, "part": name or ""})
        options.pop("trust_remote_code", None)
        try:
            return load_dataset(path=path, name=name, **options)
        except ConnectionError as error:
            raise HubAway(
                f"the data set {path!r}{f' ({name})' if name else ''} was looked for on the hub, which this machine "
                "does not reach (it is offline): run the same command on a machine that does, and copy the two files "
                "that it writes, .yaml and .jsonl, into quality_gates/tasks here"
            ) from error
        except datasets.exceptions.DatasetNotFoundError as error:
            raise Unsupported(f"the hub does not hand out the data set {path!r}: {error}") from error

    def refuse_metric(*names: Any, **_: Any) -> Any:
        raise Unsupported(f"it is scored by {names[0] if names else 'a metric'}, whose code would come from the hub")

    datasets.load_dataset, evaluate.load = load_data, refuse_metric
    try:
        yield
    finally:
        datasets.load_dataset, evaluate.load = load_dataset, load_metric


def revision_of(checksums: Mapping[str, Any] | None) -> str:
    """The data set's commit, from the addresses of the files that it was loaded from; empty where they do not say.

    One such address: hf://datasets/cais/mmlu@c30699e8356da336a370243923dbaf21066bb9fe/anatomy/test-00000-of-00001.parquet
    """
    found = {match[1] for address in checksums or () if (match := _REVISION.search(address))}
    return ", ".join(sorted(found))
