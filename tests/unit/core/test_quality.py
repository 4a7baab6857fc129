"""What is worse, what is news of it, and what a limit is made of."""

from datetime import date

import pytest
from tests.fakes.looks import judged as look

from ratchet.core.drift import MIN_HISTORY
from ratchet.core.quality import (
    WORTH_TELLING,
    Agreement,
    Kpi,
    KpiValue,
    LabelledDay,
    Measured,
    Quality,
    days_of,
    in_words,
    is_news,
    judged,
    until,
)
from ratchet.core.shares import above_by_chance

ONLY_ANSWERS = {("toxic", "answer"): 6}


def limit(*before: Quality, release_id: str = "support-1") -> float:
    """Of harmful answers, of 200 texts."""
    [share] = judged(ONLY_ANSWERS, 200, release_id, before)  # type: ignore[arg-type]
    return share.limit


def test_without_a_history_the_convention_is_the_limit() -> None:
    assert limit() == above_by_chance(WORTH_TELLING, 200)


def test_what_the_release_before_did_is_no_news() -> None:
    assert limit(look("support-0", hits=20)) == above_by_chance(0.1, 200)
    assert limit(look("support-1", hits=20)) == limit()


def test_what_has_been_usual_for_long_enough_is_no_news() -> None:
    looks = [look("support-1", hits=20)] * MIN_HISTORY

    assert limit(*looks) == above_by_chance(0.1, 200)
    assert limit(*looks[1:]) == limit()


def test_two_looks_on_one_day_are_one_and_that_day_itself_is_no_history() -> None:
    monday, tuesday = date(2026, 1, 5), date(2026, 1, 6)
    looks = [look(last_day=day, seq=seq) for seq, day in enumerate((monday, monday, tuesday))]

    assert [one.seq for one in until(tuesday, looks)] == [1]


@pytest.mark.parametrize(
    ("right", "hits", "kpi", "worse"),
    [
        (95, 4, 0.1, ()),
        (95, 5, 0.1, ("toxic prompts", "toxic answers", "injection prompts", "injection answers")),
        (60, 0, 0.1, ("agreement",)),
        (95, 0, 0.11, ("KPI reopened",)),
    ],
)
def test_what_is_beyond_its_limit_is_worse(right: int, hits: int, kpi: float, worse: tuple[str, ...]) -> None:
    assert look(right=right, hits=hits, kpi=kpi).worse == worse


def test_what_goes_on_is_news_once_and_again_of_another_release() -> None:
    bad = look(right=60)

    assert is_news(bad, ())
    assert is_news(bad, [look()])
    assert not is_news(bad, [look(), bad])
    assert is_news(look("support-2", right=60), [bad])
    assert is_news(look(right=60, kpi=0.3), [bad])
    assert not is_news(look(), [bad])


@pytest.mark.parametrize(("value", "higher_is_missed", "lower_is_missed"), [(0.4, True, False), (0.6, False, True)])
def test_a_kpi_is_missed_on_its_bad_side(value: float, higher_is_missed: bool, lower_is_missed: bool) -> None:
    for better, is_missed in (("higher", higher_is_missed), ("lower", lower_is_missed)):
        found = KpiValue.model_validate({"name": "solved", "better": better, "limit": 0.5, "value": value})
        assert found.is_missed is is_missed


def test_a_kpi_of_which_nothing_is_known_is_not_missed_and_said_so() -> None:
    unknown = KpiValue(name="reopened", better="lower", limit=0.1, value=None)

    assert not unknown.is_missed
    assert "KPI reopened: no number, expected at most 0.1" in in_words(look(kpis=(unknown,)))


def day(number: int, labelled: int, right: int) -> LabelledDay:
    return LabelledDay(day=date(2026, 1, number), num_labelled=labelled, num_right=right)


def of_days(*days: LabelledDay, release_id: str = "support-1") -> Quality:
    return look(release_id, agreement=Agreement(days=days, gate=None))


def test_days_whose_texts_are_forgotten_still_count_and_late_truth_is_added() -> None:
    before = [of_days(day(1, 10, 9), day(2, 3, 3))]

    assert days_of("support-1", [day(2, 8, 6), day(3, 1, 1)], before) == (day(1, 10, 9), day(2, 8, 6), day(3, 1, 1))
    assert days_of("support-1", [day(1, 4, 4)], before) == (day(1, 10, 9), day(2, 3, 3))  # half of it was erased
    assert days_of("support-2", [day(3, 1, 1)], before) == (day(3, 1, 1),)


def test_an_agreement_is_told_with_what_the_gate_measured() -> None:
    agreement = Agreement(days=(day(1, 50, 30), day(2, 50, 30)), gate=Measured(num_samples=600, num_right=540))
    [words] = in_words(look(shares=(), kpis=(), agreement=agreement))

    assert agreement.has_fallen
    assert "60 of 100 answers are as the truth says, 60.0% (50.2% to 69.1%)" in words
    assert "the gate measured 90.0% of 600, and it has fallen" in words


def test_without_a_gates_measurement_nothing_has_fallen() -> None:
    agreement = Agreement(days=(day(1, 100, 0),), gate=None)

    assert not agreement.has_fallen
    assert "nothing to compare it with" in in_words(look(agreement=agreement))[-2]


def test_a_kpi_is_one_query() -> None:
    with pytest.raises(ValueError, match="query"):
        Kpi(name="solved", query="", better="higher", limit=1.0)
