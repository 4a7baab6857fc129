"""What a game day prints: pure."""

from collections.abc import Sequence

from tests.gameday.day import Outcome
from tests.gameday.users import Noticed
from tests.gameday.watch import Seen

HEADINGS = (
    *("fault", "alert", "fired after, s", "typed, as the runbook says", "mended after, s", "alert gone after, s"),
    *("requests", "failed", "cut", "p99, s", "mended"),
)


def day_table(outcomes: Sequence[Outcome]) -> str:
    return table(HEADINGS, [_row(one) for one in outcomes])


def problems(outcomes: Sequence[Outcome]) -> list[str]:
    return [f"{one.played.fault.name}: {problem}" for one in outcomes for problem in one.problems]


def states_table(seen: Sequence[Seen]) -> str:
    """Which alerts were ever pending or firing, and how long at most."""
    names = sorted({(one.name, one.severity, one.about, one.state) for one in seen})
    rows = [
        (name, severity, about, state, str(sum((one.name, one.severity, one.about, one.state) == key for one in seen)))
        for key in names
        for name, severity, about, state in [key]
    ]
    return table(("alert", "", "about", "state", "times"), rows)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(one: Outcome) -> list[str]:
    played = one.played
    typed = ", ".join(f"`{typed.text}`" for typed in played.typed) or "nothing: by hand"
    return [
        *(played.fault.name, f"[{played.fault.alert}](runbooks/{played.fault.runbook}.md)"),
        _after(played.injected_at, played.fired_at),
        typed,
        _after(played.injected_at, played.worked_at),
        "stays for hours" if played.fault.ends_by_itself else _after(played.injected_at, one.gone_at),
        *_noticed(played.noticed),
        "; ".join(one.problems) or "yes",
    ]


def _after(since: float, at: float | None) -> str:
    return "never" if at is None else f"{at - since:.0f}"


def _noticed(found: Noticed) -> tuple[str, str, str, str]:
    p99 = "" if found.p99_seconds is None else f"{found.p99_seconds:.2f}"
    return f"{found.num_requests:,}", f"{found.num_failed:,}", f"{found.num_cut:,}", p99
