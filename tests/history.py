"""A real Prometheus that remembers what was never scraped: the exporter's pages of earlier moments, as OpenMetrics."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.metrics_core import Metric
from tests.fakes.fortnight import Users, moments, quick, slow
from tests.prometheus import prometheus, tool

from ratchet.sight.arguments import NAMES

# Closer than the 5 minutes after which Prometheus takes a series for gone.
EVERY = timedelta(minutes=4)
EVERY_OF_THE_LAST_DAY = timedelta(minutes=2)


def fortnight(end: datetime, back: timedelta) -> Iterator[tuple[datetime, list[Metric]]]:
    """`back`: how much of what changes slowly; of the rest no more than the last day."""
    for at in moments(end, back, EVERY):
        yield at, slow(end, at)
    users = Users(end)
    for at in moments(end, min(back, timedelta(hours=25)), EVERY_OF_THE_LAST_DAY):
        users.until(at)
        up = Metric("ratchet_up", "", "gauge")
        for source in NAMES:
            up.add_sample("ratchet_up", {"source": source}, 1.0)
        yield at, [*quick(end, at, users), up]


@contextmanager
def remembering(folder: Path, told: Iterable[tuple[datetime, list[Metric]]]) -> Iterator[str]:
    """Its address. It scrapes nothing, and stops with the block."""
    text, data = folder / "told.txt", folder / "data"
    with text.open("w") as file:
        file.writelines(_lines(told))
        file.write("# EOF\n")
    # One block: with many, promtool reads the whole text for each.
    _run(tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h", text, data)
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    with prometheus(folder, "--storage.tsdb.retention.time=60d") as url:
        yield url


def _lines(told: Iterable[tuple[datetime, list[Metric]]]) -> Iterator[str]:
    for at, families in told:
        for family in families:
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
                yield f"{sample.name}{{{labels}}} {sample.value} {at.timestamp():.0f}\n"


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
