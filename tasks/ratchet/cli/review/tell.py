"""What `ratchet review` prints."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ratchet.core.preference import BASELINE, CANDIDATE, TIE, PreferenceReport, Review
from ratchet.core.preference_checks import told_by


def pairs(review: Review, path: Path, console: Console) -> None:
    num_samples, num_pairs = len(review.sample_ids), len(review.pairs)
    if not num_pairs:
        console.print(
            f"{review.task}: all {num_samples} answers are equal, so nobody need be asked: stored as ties, unless "
            "somebody has rated these models before"
        )
        return
    console.print(
        f"{review.task}: drew {num_samples} samples; {num_pairs} answers differ and stand in {path}, "
        f"{num_samples - num_pairs} are equal and count as ties",
        soft_wrap=True,
        markup=False,
    )
    console.print(
        f'write "rating": "a", "b" or "tie" in each row, then `ratchet review ratings {path} --by NAME`',
        soft_wrap=True,
        markup=False,
    )


def ratings(report: PreferenceReport, console: Console) -> None:
    by = report.values.count
    console.print(
        f"{report.task}, rated by {report.rater}: of {len(report.values)} samples the candidate is preferred in "
        f"{by(CANDIDATE)}, the baseline in {by(BASELINE)}, neither in {by(TIE) - report.num_equal}; "
        f"{report.num_equal} have equal answers, {report.num_unrated} are not rated",
        markup=False,
    )
    if report.judge:
        console.print(told_by(report.judge, report.num_pairs), markup=False)
    console.print("stored: the next gate of these two models takes them into account")


@contextmanager
def progress(num_pairs: int, console: Console) -> Iterator[Callable[[], None]]:
    """Yields what to call after each pair."""
    columns = (TextColumn("asking the judge"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=num_pairs)
        yield lambda: bar.advance(task)
