"""Ask the new production through the edge, a golden prompt and a timed one in turn, until time or fate is up."""

import time
from collections.abc import Sequence

from ratchet.bake.contract import BakeSettings
from ratchet.bake.judge import Expected, breach
from ratchet.clients.probe import Probe, probe
from ratchet.core.golden import Golden
from ratchet.core.log import progress

PROGRESS_SECONDS = 5.0
# A busy machine answers slowly: rather watch longer than judge on too little.
MAX_STRETCH = 3.0


def watch(
    url: str, line: str, golden: Sequence[Golden], expected: Expected, settings: BakeSettings, key: str
) -> list[Probe]:
    """Every probe up to a breach, or to the end. `key`: what the edge lets Ratchet in by, if it asks for any."""
    probes: list[Probe] = []
    started = last_said = time.monotonic()
    while not _is_over(time.monotonic() - started, len(probes), settings) and not breach(probes, expected, settings):
        began = time.monotonic()
        asked = golden[len(probes) // 2 % len(golden)]
        probes.append(probe(url, line, asked, settings.max_answer_tokens, timed=len(probes) % 2 == 1, key=key))
        if time.monotonic() - last_said >= PROGRESS_SECONDS:
            last_said = time.monotonic()
            failed = sum(probe.problem is not None for probe in probes)
            progress(
                step=round(last_said - started),
                steps=round(settings.duration_seconds),
                requests=len(probes),
                failed=failed,
            )
        time.sleep(max(0.0, settings.probe_interval_seconds - (time.monotonic() - began)))
    return probes


def _is_over(elapsed: float, num_probes: int, settings: BakeSettings) -> bool:
    if num_probes >= settings.min_requests:
        return elapsed >= settings.duration_seconds
    return elapsed >= MAX_STRETCH * settings.duration_seconds
