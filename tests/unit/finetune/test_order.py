from collections import Counter

import pytest

from ratchet.finetune.order import plan_batches

LENGTHS = [60 + 7 * (row % 9) + row % 5 for row in range(400)]


def test_the_plan_depends_on_the_seed_and_on_nothing_else() -> None:
    assert plan_batches(LENGTHS, 16, 50, seed=1) == plan_batches(LENGTHS, 16, 50, seed=1)
    assert plan_batches(LENGTHS, 16, 50, seed=1) != plan_batches(LENGTHS, 16, 50, seed=2)


@pytest.mark.parametrize(
    ("num_rows", "batch_size", "num_batches"),
    [(400, 16, 50), (400, 16, 3), (3, 8, 5), (1, 1, 1), (17, 16, 40)],
)
def test_every_batch_is_full_and_no_row_comes_twice_more_than_another(
    num_rows: int, batch_size: int, num_batches: int
) -> None:
    batches = plan_batches(LENGTHS[:num_rows], batch_size, num_batches, seed=0)

    times = Counter(row for batch in batches for row in batch)
    assert [len(batch) for batch in batches] == [batch_size] * num_batches
    assert max(times.values()) - min(times.get(row, 0) for row in range(num_rows)) <= 1


def test_a_batch_holds_rows_of_like_length() -> None:
    batches = plan_batches(LENGTHS, 16, 50, seed=0)

    used = sum(LENGTHS[row] for batch in batches for row in batch)
    padded = sum(max(LENGTHS[row] for row in batch) * len(batch) for batch in batches)
    assert used / padded > 0.95


def test_batches_do_not_run_from_short_to_long() -> None:
    means = [sum(LENGTHS[row] for row in batch) for batch in plan_batches(LENGTHS, 16, 16, seed=0)]

    assert means != sorted(means)
