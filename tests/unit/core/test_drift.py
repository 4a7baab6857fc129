"""Drift is told when rows moved, and not when chance dealt them out."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from ratchet.core import drift
from ratchet.core.drift import Row, Shift, jensen_shannon, psi, shifts

WORDS = [
    "card",
    "money",
    "bank",
    "transfer",
    "top",
    "up",
    "fee",
    "cash",
    "rate",
    "app",
    "pin",
    "verify",
    "late",
    "lost",
    "stolen",
    "refund",
]
LABELS = ("lost_card", "refund", "top_up", "fee")


def rows(num_rows: int, seed: int, labels: tuple[str, ...] = LABELS, length: int = 8) -> list[Row]:
    dice = random.Random(seed)
    return [
        (" ".join(dice.choices(WORDS, k=dice.randint(length // 2, length))), dice.choice(labels))
        for _ in range(num_rows)
    ]


def drifted(found: tuple[Shift, ...]) -> set[str]:
    return {shift.feature for shift in found if shift.drifted}


def test_rows_of_one_place_rarely_count_as_drift() -> None:
    alarms = sum(len(drifted(shifts(rows(300, 2 * n), rows(800, 2 * n + 1), {}))) for n in range(10))

    assert alarms <= 2  # 30 comparisons, each wrong once in a hundred


def test_other_labels_are_told_with_what_moved_most() -> None:
    label = next(s for s in shifts(rows(300, 1, ("refund", "refund", "fee")), rows(300, 2), {}) if s.feature == "label")

    assert label.drifted
    assert label.movers[0].category == "refund"
    assert label.movers[0].now > 2 * label.movers[0].before


def test_longer_texts_are_drift_of_length_alone() -> None:
    assert drifted(shifts(rows(300, 1, length=16), rows(300, 2), {})) == {"length"}


def test_other_words_are_drift_of_words_alone() -> None:
    other = [(text.replace("card", "loan").replace("bank", "mine"), label) for text, label in rows(300, 1)]

    assert drifted(shifts(other, rows(300, 2), {})) == {"words"}


def test_words_that_are_equally_rare_favour_neither_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "MAX_WORDS", 50)
    dice = random.Random(0)
    sides = [[(" ".join(f"w{dice.randrange(2000)}" for _ in range(6)), "x") for _ in range(300)] for _ in range(2)]

    assert drifted(shifts(sides[0], sides[1], {})) == set()


def test_what_is_usual_is_not_told_again() -> None:
    now, before = rows(300, 1, ("refund", "refund", "fee")), rows(300, 2)
    moved = next(shift.psi for shift in shifts(now, before, {}) if shift.feature == "label")

    assert "label" in drifted(shifts(now, before, {"label": (moved,) * 4}))
    assert "label" not in drifted(shifts(now, before, {"label": (moved, moved * 1.1) * 3}))


def test_a_handful_of_rows_says_nothing() -> None:
    assert shifts(rows(49, 1), rows(300, 2), {}) == ()


shares = st.lists(st.integers(1, 50), min_size=2, max_size=8).map(lambda parts: [part / sum(parts) for part in parts])


@given(st.data())
def test_both_measures_are_zero_only_for_equals_and_do_not_depend_on_the_order(data: st.DataObject) -> None:
    one = data.draw(shares)
    other = data.draw(st.permutations(one))

    assert psi(one, one) == jensen_shannon(one, one) == 0
    assert psi(one, other) == pytest.approx(psi(other, one))
    assert (psi(one, other) > 1e-9) == (max(abs(p - q) for p, q in zip(one, other, strict=True)) > 1e-9)
    assert jensen_shannon(one, other) == pytest.approx(float(jensenshannon(one, other, base=2)) ** 2, abs=1e-9)
    assert 0 <= jensen_shannon(one, other) <= 1
