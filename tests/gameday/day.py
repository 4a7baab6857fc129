"""One fault after the other: inject it, wait for its alert, type what its runbook says, look whether that mended it."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from tests.gameday import runbook
from tests.gameday.faults import Fault
from tests.gameday.place import ROOT, Place, Typed, say
from tests.gameday.users import Crowd, Noticed, noticed
from tests.gameday.watch import Seen, Watch

from ratchet.core.errors import RatchetError

# Longer than any alert of a hurried day takes, and than an engine needs to come back.
TELL_SECONDS, MEND_SECONDS, GONE_SECONDS = 420.0, 240.0, 420.0
CHECK_SECONDS = 5.0


@dataclass(frozen=True)
class Played:
    """Seconds on the clock of time.monotonic. `fired_at` and `worked_at` are None where it did not come to that."""

    fault: Fault
    injected_at: float
    fired_at: float | None
    typed: Sequence[Typed]
    worked_at: float | None
    noticed: Noticed
    trouble: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a fault, once the whole day is known."""

    played: Played
    gone_at: float | None
    others: Sequence[str]

    @property
    def problems(self) -> list[str]:
        played = self.played
        failed = [typed.text for typed in played.typed if typed.exit_code]
        said = {
            f"{played.fault.alert} did not fire": played.fired_at is None,
            f"the runbook's {', '.join(failed)} failed": bool(failed),
            "by the runbook's own words it was not mended": played.worked_at is None,
            "the alert stayed": bool(played.fired_at and not (self.gone_at or played.fault.ends_by_itself)),
            f"{', '.join(self.others)} fired too": bool(self.others),
            played.trouble: bool(played.trouble),
        }
        return [text for text, true in said.items() if true]


def play(fault: Fault, place: Place, watch: Watch, users: Crowd) -> Played:
    """Whatever goes wrong is this fault's own: the day goes on."""
    say(f"\n{fault.name}")
    fault.when(place)
    _await(lambda: not watch.firing(fault.alert), GONE_SECONDS)
    injected_at, typed, worked_at, trouble = time.monotonic(), list[Typed](), None, ""
    try:
        fault.inject(place)
        _await(lambda: watch.firing(fault.alert), TELL_SECONDS)
        page = (ROOT / "docs" / "runbooks" / f"{fault.runbook}.md").read_text("utf-8")
        typed += (place.ratchet(*words) for words in _to_type(fault, page, place))
        fault.by_hand(place)
        worked_at = _worked(page, place)
    except (AssertionError, LookupError, OSError, RatchetError, httpx.HTTPError, subprocess.SubprocessError) as error:
        trouble = f"{type(error).__name__}: {error}"
    fired = [one.begun_at for one in _fired(watch.seen, injected_at) if one.name == fault.alert]
    say(
        f"  fired after {_seconds(fired, injected_at)} s, mended after {_seconds([worked_at], injected_at)} s {trouble}"
    )
    seen = noticed(users.asked, injected_at, worked_at or time.monotonic())
    return Played(fault, injected_at, fired[0] if fired else None, typed, worked_at, seen, trouble)


def _seconds(at: Sequence[float | None], since: float) -> str:
    return f"{at[0] - since:.0f}" if at and at[0] is not None else "–"


def outcomes(played: Sequence[Played], seen: Sequence[Seen]) -> list[Outcome]:
    """Pure: what the alerts of the whole day say of each fault."""
    ends = [one.injected_at for one in played[1:]] + [float("inf")]
    return [_outcome(one, until, seen) for one, until in zip(played, ends, strict=True)]


def all_gone(played: Sequence[Played], watch: Watch) -> None:
    """Alerts look back a while: wait until those that should end have."""
    names = {one.fault.alert for one in played if not one.fault.ends_by_itself}
    _await(lambda: not any(watch.firing(name) for name in names), GONE_SECONDS)


def _outcome(one: Played, until: float, seen: Sequence[Seen]) -> Outcome:
    fired = [alert for alert in _fired(seen, one.injected_at) if alert.begun_at < until]
    mine = [alert for alert in fired if alert.name == one.fault.alert]
    expected = {one.fault.alert, *one.fault.alongside}
    ended = [alert.ended_at for alert in mine if alert.severity == mine[0].severity]
    return Outcome(
        played=one,
        gone_at=max((at for at in ended if at is not None), default=None) if None not in ended else None,
        others=sorted({alert.name for alert in fired} - expected),
    )


def _fired(seen: Sequence[Seen], since: float) -> list[Seen]:
    return [one for one in list(seen) if one.state == "firing" and one.begun_at >= since]


def _to_type(fault: Fault, page: str, place: Place) -> list[list[str]]:
    text = "\n".join(runbook.item(page, which) for which in fault.items)
    fills = {word: find(place) for word, find in fault.fills.items()}
    return runbook.commands(text, fills, fault.not_those_with)


def _worked(page: str, place: Place) -> float | None:
    """When the page's own commands for this said yes; None if they never did."""
    asked = runbook.commands(runbook.section(page, runbook.WORKED)) or [["verify"]]
    deadline = time.monotonic() + MEND_SECONDS
    while time.monotonic() < deadline:
        if all(place.ratchet(*words).exit_code == 0 for words in asked):
            return time.monotonic()
        time.sleep(CHECK_SECONDS)
    return None


def _await(reached: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.2)
