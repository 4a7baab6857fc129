"""Looks at what users ask, named by what drifted."""

from datetime import UTC, date, datetime
from typing import Any

from ratchet.core.drift import Distance, Shift
from ratchet.core.drifts import Drift


def shift(feature: str, psi: float) -> Shift:
    return Shift(feature=feature, psi=psi, js=psi / 10, limit=0.1, movers=())


def look(words: float = 0.0, embedding: float = 0.0, run_id: str = "run", **fields: Any) -> Drift:
    return Drift(
        line="support",
        at=datetime(2026, 1, 9, 4, tzinfo=UTC),
        run_id=run_id,
        release_id="support-1",
        dataset_sha256="ab" * 32,
        first_day=date(2026, 1, 2),
        last_day=date(2026, 1, 8),
        num_texts=200,
        shifts=(shift("words", words),),
        embedding=Distance(distance=embedding, limit=0.01),
        **fields,
    )
