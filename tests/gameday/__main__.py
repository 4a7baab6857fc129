"""A game day: faults on a running platform under load, each told by its alert and mended by its runbook.

    make gameday [HURRY=10] [FAULTS="killed hangs"]     # the table of docs/gameday.md
    make gameday HEALTHY=60                             # minutes of healthy releases: no alert may fire

Airflow, MLflow, Envoy, two vLLM engines, exporter, Prometheus and Alertmanager are the real ones. Ends with 1 when an
alert did not fire, another one did, or a runbook did not mend what it is for.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence

from tests.gameday import day, healthy, stand_in, tables
from tests.gameday.faults import FAULTS, Fault
from tests.gameday.place import LINE, Place, place, say
from tests.gameday.users import crowd
from tests.gameday.watch import watching


def chosen(words: Sequence[str]) -> list[Fault]:
    """Those with one of the words in their name; all if there is none."""
    return [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]


def prepare(where: Place) -> None:
    """Production, and a release to go to."""
    up = where.ratchet("up")
    assert up.exit_code == 0, up.said
    stand_in.stage(where)


def run_day(where: Place, faults: Sequence[Fault], times: float) -> int:
    """A day that is ended early tells what it has seen."""
    begun, played = time.monotonic(), list[day.Played]()
    prepare(where)
    with watching(where.home / "watch", where.settings.ports.exporter, times) as watch:
        try:
            with crowd(f"http://127.0.0.1:{where.settings.ports.edge}", LINE) as users:
                for fault in faults:
                    played.append(day.play(fault, where, watch, users))
                day.all_gone(played, watch)
        finally:
            found = day.outcomes(played, watch.seen)
            print(tables.day_table(found))
    wrong = tables.problems(found)
    minutes = (time.monotonic() - begun) / 60
    print(f"\n{len(found)} faults in {minutes:.0f} minutes, the platform's start included.")
    print(f"People were sent {len(watch.messages)} messages. The rules were {times:g} times as fast as shipped.")
    print("\n".join(wrong))
    return 1 if wrong else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hurry", type=float, default=10.0, metavar="N", help="divide the rules' durations by N")
    parser.add_argument("--faults", nargs="*", default=(), metavar="WORD", help="those with one of these in their name")
    parser.add_argument("--healthy", type=float, metavar="MINUTES", help="healthy releases instead, unhurried")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends the day ends its services too
    with place() as where:
        say(f"a platform of its own in {where.home}")
        if options.healthy:
            return healthy.run(where, options.healthy)
        return run_day(where, chosen(options.faults), options.hurry)


if __name__ == "__main__":
    sys.exit(main())
