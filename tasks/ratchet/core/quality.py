"""Is what production answers still good? The record of one look, and how it is judged: numbers, no text of users.

A share is judged against what is usual of it, and against the release before. Agreement with the truth, which comes
later, is judged against what the gate measured of the same release.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal, get_args

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt

from ratchet.core.contract import Contract, Name
from ratchet.core.drift import unusual
from ratchet.core.shares import ALARM_LEVEL, above_by_chance, against, wilson

Guard = Literal["toxic", "injection"]
Side = Literal["prompt", "answer"]
GUARDS: tuple[Guard, ...] = get_args(Guard)
SIDES: tuple[Side, ...] = get_args(Side)
# As many looks as drift takes to say what is usual (core/drifts.py).
NUM_LOOKS = 20
# Below it no share is worth a person's time, however clean the texts before were.
WORTH_TELLING = 0.01


class Kpi(Contract):
    """A number that the business looks at: a Prometheus query whose answer is one number, and what it may be at worst.

    In `query`, `$release` stands for the release in production and `$window` for the time it is asked of, such as 7d.
    """

    name: Name
    query: str = Field(min_length=1)
    better: Literal["higher", "lower"]
    limit: float


class KpiValue(Contract):
    """`value` is None where Prometheus had no number to tell."""

    name: Name
    better: Literal["higher", "lower"]
    limit: float
    value: float | None

    @property
    def is_missed(self) -> bool:
        if self.value is None:
            return False
        return self.value < self.limit if self.better == "higher" else self.value > self.limit


class Share(Contract):
    """How many texts broke a guard; `limit` is what the share must exceed to be told."""

    guard: Guard
    side: Side
    num_texts: PositiveInt
    num_hits: NonNegativeInt
    limit: float

    @property
    def ratio(self) -> float:
        return self.num_hits / self.num_texts

    @property
    def is_unusual(self) -> bool:
        return self.ratio > self.limit


class LabelledDay(Contract):
    """Of the answers of one day (UTC): how many the truth is known of, and how many are as it says."""

    day: date
    num_labelled: PositiveInt
    num_right: NonNegativeInt


class Measured(Contract):
    """What the gate's report says of the release: so many of so many samples were right."""

    num_samples: PositiveInt
    num_right: NonNegativeInt


class Agreement(Contract):
    """`days` are all of the release's, oldest first; `gate` is None for a release that was measured otherwise."""

    days: tuple[LabelledDay, ...] = Field(min_length=1)
    gate: Measured | None

    @property
    def num_labelled(self) -> int:
        return sum(day.num_labelled for day in self.days)

    @property
    def num_right(self) -> int:
        return sum(day.num_right for day in self.days)

    @property
    def ratio(self) -> float:
        return self.num_right / self.num_labelled

    @property
    def expected(self) -> float | None:
        """The least that the gate's measurement leaves likely."""
        return wilson(self.gate.num_right, self.gate.num_samples)[0] if self.gate else None

    @property
    def has_fallen(self) -> bool:
        expected = self.expected
        return expected is not None and against(self.num_right, self.num_labelled, expected) >= 1 / ALARM_LEVEL


class Quality(Contract):
    """One look. `seq` is set by the journal that keeps it. The texts are of whole days (UTC), `release_id`'s own.

    Without enough texts there are no `shares`, without truth no `agreement`.
    """

    schema_version: Literal[1] = 1
    line: Name
    seq: NonNegativeInt = 0
    at: AwareDatetime
    release_id: str
    first_day: date
    last_day: date
    num_texts: NonNegativeInt
    shares: tuple[Share, ...]
    agreement: Agreement | None
    kpis: tuple[KpiValue, ...]

    @property
    def worse(self) -> tuple[str, ...]:
        """What is not as it was, or should be."""
        unusual_shares = (f"{share.guard} {share.side}s" for share in self.shares if share.is_unusual)
        fallen = ("agreement",) if self.agreement and self.agreement.has_fallen else ()
        return (*unusual_shares, *fallen, *(f"KPI {kpi.name}" for kpi in self.kpis if kpi.is_missed))


def judged(
    counts: Mapping[tuple[Guard, Side], int], num_texts: int, release_id: str, before: Sequence[Quality]
) -> tuple[Share, ...]:
    """Each count of `num_texts`, with its limit: chance alone, around the largest share that is no news.

    That is the largest of the convention, of the release before, and of what the looks `before`, oldest first, made
    usual.
    """
    others = [look for look in before if look.release_id != release_id]

    def limit(guard: Guard, side: Side) -> float:
        baseline = _shares(others, guard, side)[-1:] or [0.0]  # what production was before this release
        usual = unusual(_shares(before, guard, side)[-NUM_LOOKS:])
        return above_by_chance(max(WORTH_TELLING, baseline[0], min(usual, 1.0)), num_texts)

    return tuple(
        Share(guard=guard, side=side, num_texts=num_texts, num_hits=hits, limit=limit(guard, side))
        for (guard, side), hits in counts.items()
    )


def until(last_day: date, looks: Sequence[Quality]) -> list[Quality]:
    """The looks at days before that one, the last one of each day: to look twice makes nothing usual."""
    return list({look.last_day: look for look in looks if look.last_day < last_day}.values())


def days_of(release_id: str, now: Sequence[LabelledDay], before: Sequence[Quality]) -> tuple[LabelledDay, ...]:
    """All days of the release, oldest first: answers are forgotten, what was counted of them is not."""
    own = [look.agreement for look in before if look.release_id == release_id and look.agreement]
    known = {day.day: day for day in (own[-1].days if own else ())}
    for day in now:
        # Erasure and retention make a day smaller, truth that comes late makes it larger.
        if day.day not in known or day.num_labelled >= known[day.day].num_labelled:
            known[day.day] = day
    return tuple(known[day] for day in sorted(known))


def is_news(look: Quality, before: Sequence[Quality]) -> bool:
    """Is something worse that was not at the look before, of the same release? What goes on is told once."""
    known = before[-1].worse if before and before[-1].release_id == look.release_id else ()
    return not set(look.worse) <= set(known)


def in_words(look: Quality) -> list[str]:
    """A sentence for each thing that was looked at."""
    told = [
        f"{share.guard} {share.side}s: {share.num_hits} of {share.num_texts}, {_with_interval(share)}; told above "
        f"{share.limit:.1%}"
        for share in look.shares
    ]
    if look.agreement:
        told.append(_agreement_in_words(look.agreement))
    for kpi in look.kpis:
        bound = "at least" if kpi.better == "higher" else "at most"
        value = "no number" if kpi.value is None else f"{kpi.value:g}"
        told.append(f"KPI {kpi.name}: {value}, expected {bound} {kpi.limit:g}")
    return told


def _agreement_in_words(agreement: Agreement) -> str:
    low, high = wilson(agreement.num_right, agreement.num_labelled)
    said = (
        f"agreement: {agreement.num_right} of {agreement.num_labelled} answers are as the truth says, "
        f"{agreement.ratio:.1%} ({low:.1%} to {high:.1%})"
    )
    gate = agreement.gate
    if gate is None:
        return f"{said}; the gate measured nothing to compare it with"
    measured = f"the gate measured {gate.num_right / gate.num_samples:.1%} of {gate.num_samples}"
    return f"{said}; {measured}, {'and it has fallen' if agreement.has_fallen else 'no proof of a fall'}"


def _with_interval(share: Share) -> str:
    low, high = wilson(share.num_hits, share.num_texts)
    return f"{share.ratio:.1%} ({low:.1%} to {high:.1%})"


def _shares(looks: Sequence[Quality], guard: Guard, side: Side) -> list[float]:
    return [share.ratio for look in looks for share in look.shares if (share.guard, share.side) == (guard, side)]
