"""Releases as they should be, one after the other, under load, with the rules as shipped: no alert may fire."""

import time

from tests.gameday import injections, tables
from tests.gameday.place import LINE, Place, say, wait
from tests.gameday.users import crowd, noticed
from tests.gameday.watch import Seen, Watch, watching

DRILL_DAG = f"drill_{LINE}"
SETTLED_SECONDS = 60.0  # until the exporter has told everything once
FIRST, NUM_FIRST_ROWS = 1000, 2400  # seed and size of the data set before the hour


def run(place: Place, minutes: float) -> int:
    up = place.ratchet("up")
    assert up.exit_code == 0, up.said
    # As every week's: the sample's own file has dirt besides, and the weeks without would be another world's.
    injections.usual_upload(place.home / "tickets.csv", seed=FIRST, num_rows=NUM_FIRST_ROWS)
    assert place.ratchet("submit", str(place.home / "tickets.csv")).exit_code == 0
    with watching(place.home / "watch", place.settings.ports.exporter, times=1) as watch:
        with crowd(f"http://127.0.0.1:{place.settings.ports.edge}", LINE) as users:
            time.sleep(SETTLED_SECONDS)
            begun, num_series, num_releases = time.monotonic(), watch.num_series(), 0
            while time.monotonic() - begun < 60 * minutes or not num_releases:
                _release(place, num_releases)
                num_releases += 1
                say(f"  fired so far: {', '.join(sorted({one.name for one in _fired(watch)})) or 'nothing'}")
            seconds = time.monotonic() - begun
            told = noticed(users.asked, begun, time.monotonic())
        print(tables.states_table(watch.seen))
        print(f"\n{num_releases} releases in {seconds / 60:.0f} minutes, each with an intake, a look and a drill.")
        print(f"Series: {num_series} before, {watch.num_series()} after. Messages to people: {len(watch.messages)}.")
        print(f"Users: {told.num_requests:,} requests, {told.num_failed} failed, {told.num_cut} cut.")
        print(f"Their answers' p99: {told.p99_seconds} s.")
    return 1 if _fired(watch) else 0


def _fired(watch: Watch) -> list[Seen]:
    return [one for one in list(watch.seen) if one.state == "firing"]


def _release(place: Place, number: int) -> None:
    """New rows, a release that a person approves, a look of the monitor, a drill."""
    say(f"\nrelease {number + 1}")
    path = place.home / f"week-{number}.csv"
    injections.usual_upload(path, seed=number)
    before = len(place.world.datasets(LINE).records())
    injections.drop(place, path.name, path.read_bytes())
    wait("the upload is a version", lambda: len(place.world.datasets(LINE).records()) > before, injections.FAR)
    assert place.ratchet("retrain").exit_code == 0
    injections.approve(place)
    injections.run_until_green(place, injections.MONITOR_DAG)
    injections.run_until_green(place, DRILL_DAG)
