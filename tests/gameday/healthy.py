"""Releases as they should be, one after the other, under load, with the rules as shipped: no alert may fire."""

import time

from tests.gameday import injections, tables
from tests.gameday.place import LINE, Place, say, wait
from tests.gameday.users import crowd, noticed
from tests.gameday.watch import watching

from ratchet.local import sample

DRILL_DAG = f"drill_{LINE}"
SETTLED_SECONDS = 60.0  # until the exporter has told everything once


def run(place: Place, minutes: float) -> int:
    up = place.ratchet("up")
    assert up.exit_code == 0, up.said
    sample.generate(place.home / "tickets.csv")
    assert place.ratchet("submit", str(place.home / "tickets.csv")).exit_code == 0
    with watching(place.home / "watch", place.settings.ports.exporter, times=1) as watch:
        with crowd(f"http://127.0.0.1:{place.settings.ports.edge}", LINE) as users:
            time.sleep(SETTLED_SECONDS)
            begun, num_series, num_releases = time.monotonic(), watch.num_series(), 0
            while time.monotonic() - begun < 60 * minutes or not num_releases:
                _release(place, num_releases)
                num_releases += 1
            seconds = time.monotonic() - begun
            told = noticed(users.asked, begun, time.monotonic())
        fired = [one for one in watch.seen if one.state == "firing"]
        print(tables.states_table(watch.seen))
        print(f"\n{num_releases} releases in {seconds / 60:.0f} minutes, each with an intake, a look and a drill.")
        print(f"Series: {num_series} before, {watch.num_series()} after. Messages to people: {len(watch.messages)}.")
        print(f"Users: {told}.")
    return 1 if fired else 0


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
