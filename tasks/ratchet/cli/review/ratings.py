"""`ratchet review ratings`: a rated file, checked row by row against what was asked, becomes a preference report."""

import getpass
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from ratchet.cli.review.pairs import Row, load_review, rows_of
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.checks import RaterKind
from ratchet.core.contract import digest_json
from ratchet.core.errors import TerminalError
from ratchet.core.preference import Choice, JudgeRecord, PreferenceReport, Rated, Review

CHOICES = get_args(Choice)
RATER_KINDS: tuple[RaterKind, ...] = get_args(RaterKind)
_MAX_PROBLEMS = 5
_MAX_SHOWN = 60


class BadRatings(TerminalError, ValueError):
    """The file is not the one that was written, with ratings in it; nothing was stored."""

    code = "DATA_REFUSED"


@dataclass(frozen=True)
class _Row:
    """One line of the file, as it came."""

    number: int
    fields: Row


@dataclass(frozen=True)
class RatedFile:
    """`choices`: by sample id; None where a row has no rating yet."""

    review: Review
    choices: Mapping[str, Choice | None]


def read_ratings(path: Path, store: Store) -> RatedFile:
    """Raises BadRatings, with file, row, field, what was expected and what came, for the first few that are wrong."""
    rows = _rows(path)
    review = _review_of(path.name, rows[0], store)
    expected = {row["sample_id"]: row for row in rows_of(review)}
    _refuse(path.name, _problems(rows, expected))
    return RatedFile(review, {row.fields["sample_id"]: row.fields["rating"] for row in rows})


def store_ratings(
    world: World, rated: RatedFile, rater_kind: RaterKind, rater: str, judge: JudgeRecord | None = None
) -> PreferenceReport:
    """The one door through which ratings reach the gate, whoever made them. The same ratings twice are one record.

    Raises BadRatings when there is no rating at all: it would replace those that were there before.
    """
    if not any(rated.choices.values()):
        raise BadRatings('no row has a rating: write "rating": "a", "b" or "tie" in each; nothing was stored')
    report = _report(rated, rater_kind, rater, judge)
    _append(world, report, lambda newest: newest.report.sha256 != digest_json(report))
    return report


def store_ties(world: World, review: Review) -> None:
    """Where all answers are equal there is nobody to ask, and the gate need not wait. It replaces nobody's word."""
    for rater_kind in RATER_KINDS:
        _append(world, _report(RatedFile(review, {}), rater_kind, "nobody", None), lambda _newest: False)


def _report(rated: RatedFile, rater_kind: RaterKind, rater: str, judge: JudgeRecord | None) -> PreferenceReport:
    review = rated.review
    return PreferenceReport(
        review_sha256=digest_json(review),
        candidate_sha256=review.candidate_sha256,
        baseline_sha256=review.baseline_sha256,
        task=review.task,
        config_sha256=review.config_sha256,
        data_sha256=review.data_sha256,
        rater_kind=rater_kind,
        rater=rater,
        sample_ids=review.sample_ids,
        values=review.values(rated.choices),
        sources=review.sources,
        num_equal=len(review.sample_ids) - len(review.pairs),
        judge=judge,
    )


def _append(world: World, report: PreferenceReport, replaces: Callable[[Rated], bool]) -> None:
    """To the journal of the two models, unless the newest of the same task and kind of rater is to stay."""
    made = Rated(
        task=report.task,
        rater_kind=report.rater_kind,
        rater=report.rater,
        report=world.store.put_bytes(report.canonical_json()),
        at=datetime.now(UTC),
        by=getpass.getuser(),
    )

    def decide(records: Sequence[Rated]) -> Rated | None:
        alike = [r for r in records if (r.task, r.rater_kind) == (made.task, made.rater_kind)]
        return made if not alike or replaces(alike[-1]) else None

    world.preferences(report.candidate_sha256, report.baseline_sha256).append(decide)


def _rows(path: Path) -> list[_Row]:
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRatings(f"{path}: cannot be read: {error}") from error
    rows, problems = [], []
    for number, line in enumerate(lines, start=1):
        fields = _parsed(line)
        if isinstance(fields, dict):
            rows.append(_Row(number, fields))
        elif line.strip():
            problems.append(f"row {number}: expected a JSON object, got {_shown(line)}")
    _refuse(path.name, problems)
    if not rows:
        raise BadRatings(f"{path.name}: no rows; expected a file that `ratchet review pairs` wrote")
    return rows


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _review_of(name: str, first: _Row, store: Store) -> Review:
    """The first row says which review this is; the others must agree."""
    sha256 = first.fields.get("review")
    review = load_review(store, sha256) if isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256) else None
    if review is None:
        raise BadRatings(
            f"{name}, row {first.number}, review: expected the digest of a review that `ratchet review pairs` made "
            f"with this store, got {_shown(sha256)}; nothing was stored"
        )
    return review


def _problems(rows: Sequence[_Row], expected: Mapping[str, Row]) -> Iterator[str]:
    """All that is wrong, in the order of the rows; samples without a row come last."""
    row_of: dict[str, int] = {}
    for row in rows:
        sample = row.fields.get("sample_id")
        if not isinstance(sample, str) or sample not in expected:
            yield f"row {row.number}, sample_id: expected a sample of this review, got {_shown(sample)}"
        elif (first := row_of.setdefault(sample, row.number)) != row.number:
            yield f"row {row.number}, sample_id: expected each sample once, got that of row {first} again"
        else:
            yield from _field_problems(row, expected[sample])
    for sample in sorted(expected.keys() - row_of.keys()):
        yield f"sample_id: expected a row of sample {sample[:12]}, got none (a row need not be rated, but be there)"


def _field_problems(row: _Row, expected: Row) -> Iterator[str]:
    for field in sorted(expected.keys() | row.fields.keys()):
        got = row.fields.get(field)
        where = f"row {row.number}, {field}"
        if field not in row.fields or field not in expected:
            yield f"{where}: expected {'no such field' if field in row.fields else 'this field'}, got {_shown(got)}"
        elif field == "rating" and got not in (*CHOICES, None):
            yield f'{where}: expected "a", "b", "tie", or null where it is not rated, got {_shown(got)}'
        elif field != "rating" and got != expected[field]:
            yield f"{where}: {_difference(expected[field], got)}"


def _difference(expected: str, got: Any) -> str:
    """From where on they differ: long texts often begin alike."""
    if not isinstance(got, str):
        return f"expected {_shown(expected)}, got {_shown(got)}"
    pairs = enumerate(zip(expected, got, strict=False))
    at = next((place for place, (one, other) in pairs if one != other), min(len(expected), len(got)))
    return f"expected {_shown(expected[at:])}, got {_shown(got[at:])}" + (f" (after {at} characters)" if at else "")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _refuse(name: str, problems: Iterable[str]) -> None:
    """Raises BadRatings if there are any."""
    found = list(problems)
    if not found:
        return
    more = f"; and {len(found) - _MAX_PROBLEMS} more" if len(found) > _MAX_PROBLEMS else ""
    raise BadRatings(f"{name}, {f'; {name}, '.join(found[:_MAX_PROBLEMS])}{more}; nothing was stored")
