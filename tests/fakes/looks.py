"""Looks at what users ask and are answered, named by what is not as it was."""

from datetime import UTC, date, datetime
from typing import Any

from ratchet.core.drift import Distance, Shift
from ratchet.core.drifts import Drift
from ratchet.core.quality import GUARDS, SIDES, Agreement, KpiValue, LabelledDay, Measured, Quality, Share


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


def judged(release_id: str = "support-1", right: int = 95, hits: int = 0, kpi: float = 0.02, **fields: Any) -> Quality:
    """Of 100 labelled answers `right` are right, where the gate had measured 95 of 100; of 200 texts `hits` break each
    guard, where more than 4 are told; at most 0.1 is allowed of the KPI.
    """
    day = LabelledDay(day=date(2026, 1, 7), num_labelled=100, num_right=right)
    counts = {"num_texts": 200, "num_hits": hits, "limit": 0.02}
    known = {
        "line": "support",
        "at": datetime(2026, 1, 9, 4, 30, tzinfo=UTC),
        "release_id": release_id,
        "first_day": date(2026, 1, 2),
        "last_day": date(2026, 1, 8),
        "num_texts": 200,
        "shares": tuple(Share(guard=guard, side=side, **counts) for guard in GUARDS for side in SIDES),
        "agreement": Agreement(days=(day,), gate=Measured(num_samples=100, num_right=95)),
        "kpis": (KpiValue(name="reopened", better="lower", limit=0.1, value=kpi),),
    }
    return Quality.model_validate({**known, **fields})
