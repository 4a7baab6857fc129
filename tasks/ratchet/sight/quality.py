"""The newest look of the DAG quality_<line>: what is harmful in users' texts, how much is right, the KPIs."""

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from ratchet.clients.world import World
from ratchet.core.quality import GUARDS, KpiValue, Quality, Share
from ratchet.core.shares import wilson
from ratchet.sight.families import Samples, gauge, gauges, seconds

# Metric's end, what of a share it tells, meaning.
SHARES: tuple[tuple[str, Callable[[Share], float], str], ...] = (
    (
        "",
        lambda share: share.ratio,
        "Share of prompts, and of answers, of the last week in production in which the guard finds something: {}.",
    ),
    ("_low", lambda share: wilson(share.num_hits, share.num_texts)[0], "Lower end of its interval (Wilson, 95 %)."),
    ("_high", lambda share: wilson(share.num_hits, share.num_texts)[1], "Upper end of the same."),
    ("_limit", lambda share: share.limit, "What the share has to exceed: the release before, the usual, and chance."),
)
KPIS: tuple[tuple[str, Callable[[KpiValue], float | None], str], ...] = (
    ("", lambda kpi: kpi.value, "A number of the business, as the recipe asks Prometheus for it."),
    ("_limit", lambda kpi: kpi.limit, "What the recipe allows it to be at worst."),
    ("_missed", lambda kpi: float(kpi.is_missed), "Is it beyond that?"),
)


@dataclass(frozen=True)
class QualityFacts:
    """`look` is None before there was one."""

    line: str
    look: Quality | None


def gather(world: World, line: str) -> QualityFacts:
    looks = world.quality(line).records()
    return QualityFacts(line, looks[-1] if looks else None)


def families(facts: QualityFacts) -> list[Metric]:
    line, look = facts.line, facts.look
    shares = look.shares if look else ()
    return [
        *(
            gauges(
                line,
                f"ratchet_live_{guard}_ratio{end}",
                text.format(guard),
                ("side",),
                {(share.side,): tell(share) for share in shares if share.guard == guard},
            )
            for guard in GUARDS
            for end, tell, text in SHARES
        ),
        *_agreement(line, look),
        *(
            gauges(
                line,
                f"ratchet_kpi{end}",
                text,
                ("kpi",),
                {(kpi.name,): tell(kpi) for kpi in (look.kpis if look else ())},
            )
            for end, tell, text in KPIS
        ),
        gauge(
            line,
            "ratchet_quality_timestamp_seconds",
            "When production's answers were last looked at.",
            seconds(look.at if look else None),
        ),
    ]


def _agreement(line: str, look: Quality | None) -> list[Metric]:
    found = look.agreement if look else None
    gate = found.gate if found else None
    of_release = (look.release_id,) if look else ("",)

    def told(value: float | None) -> Samples:
        return {of_release: value}

    return [
        gauges(
            line,
            "ratchet_agreement_ratio",
            "Share of the release's answers that are as the truth says, of those whose truth is known.",
            ("release",),
            told(found.ratio if found else None),
        ),
        gauges(
            line,
            "ratchet_agreement_answers",
            "How many answers of the release the truth is known of.",
            ("release",),
            told(float(found.num_labelled) if found else None),
        ),
        gauges(
            line,
            "ratchet_agreement_gate_ratio",
            "What the gate had measured of the release.",
            ("release",),
            told(gate.num_right / gate.num_samples if gate else None),
        ),
        gauges(
            line,
            "ratchet_agreement_fallen",
            "Is it proved that fewer answers are right than the gate measured?",
            ("release",),
            told(float(found.has_fallen) if found else None),
        ),
    ]
