"""What a switch costs users: two real engines behind the real edge, and a client that never stops asking.

    make bench-promotion [SWITCHES=20] [ROLLBACKS=5] [STREAMS=8]       # prints the tables of docs/promotion.md

Releases are promoted and rolled back by the steps' own code, each approved in a real ledger. Then steps are killed
after each of their effects, and run again. Times depend on what else the machine does; ratios are of one run.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from tests.benchmarks.promotion_tables import Move, Moved, crash_table, table
from tests.run_steps import install_tools
from tests.steps.serving.conftest import ROOT, Serving, started, wait
from tests.steps.serving.crashes import Crash, crashed_promotions, crashed_rollbacks
from tests.steps.serving.load import users, wait_for_requests
from tests.steps.serving.models import PROMPTS
from tests.steps.serving.releases import LINE, Releases

from ratchet.clients.engine import LoadedModel
from ratchet.clients.load import closed_loop
from ratchet.clients.settings import Settings, load
from ratchet.clients.streaming import Endpoint, stream_chat, user_says
from ratchet.core.latency import Timing, summarise
from ratchet.core.rollout import other, switched_to
from ratchet.promote import run as promote
from ratchet.rollback import run as rollback

NUM_TOKENS = 48  # of each answer, so that a move always meets answers under way
NUM_COLD_STARTS = 3
NUM_PAIRS = 30
NUM_PAIRS_LARGE = 12


def say(text: str) -> None:
    print(f"{text}; load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)


def cold_starts(serving: Serving) -> tuple[Releases, list[float]]:
    """Seconds from the command to the first answer, beside an idle production."""
    found = []
    for _ in range(NUM_COLD_STARTS):
        serving.world.engine.unload("green")
        begun_at = time.perf_counter()
        releases = Releases.loaded(serving)
        found.append(time.perf_counter() - begun_at)
        say(f"an engine was ready after {found[-1]:.1f} s")
    return releases, found


def moved(releases: Releases, num_switches: int, num_rollbacks: int, num_streams: int) -> Moved:
    """Roll-backs are spread among the switches, each right after one."""
    world, moves = releases.serving.world, []
    world.registry.aliases(LINE)  # makes its database, which takes many seconds and happens once in a life
    with users(world.router.url(), LINE, PROMPTS[0], num_streams, NUM_TOKENS) as asking:
        for number in range(num_switches):
            wait_for_requests(asking, 3 * num_streams)
            moves.append(_move("switch", releases, partial(promote.run, releases.approved(), releases.serving.world)))
            say(f"{len(moves)} moves, {asking.num_requests} requests, {len(asking.failures)} failed")
            if (number + 1) * num_rollbacks // num_switches > number * num_rollbacks // num_switches:
                wait_for_requests(asking, 3 * num_streams)
                back = releases.going_back(reason=f"rehearsal {number}")
                moves.append(_move("roll-back", releases, partial(rollback.run, back, releases.serving.world)))
        wait_for_requests(asking, 3 * num_streams)
    return Moved(moves, asking.seen, asking.failures, frozenset(releases.models))


def _move(kind: str, releases: Releases, run: Callable[[], object]) -> Move:
    old, commanded_at = releases.live, time.perf_counter()
    run()
    return Move(kind, commanded_at, time.perf_counter(), old, releases.live)


def tokens_per_second(releases: Releases, num_streams: int, num_pairs: int) -> list[tuple[float, float]]:
    """Through the edge, and of the engine behind it asked directly; who is first alternates."""
    world = releases.serving.world
    urls = [world.router.url(), world.engine.url(releases.state.active)]
    edge, direct = (Endpoint(f"{url}/v1", LINE, NUM_TOKENS, exactly=True) for url in urls)
    pairs = []
    for number in range(num_pairs + 1):
        order = (edge, direct) if number % 2 else (direct, edge)
        rates = {endpoint.url: _rate(endpoint, num_streams) for endpoint in order}
        pairs.append((rates[edge.url], rates[direct.url]))
    say(f"{num_pairs} pairs of loads, through the edge and direct")
    return pairs[1:]  # the first one opens the connections


def serve_large(releases: Releases) -> None:
    """Users get a model that costs the engine some milliseconds per token, as real ones do; no release, only a load."""
    serving = releases.serving
    large = serving.model("large", kind="large")
    preview = other(releases.state.active)
    serving.world.engine.load(preview, LoadedModel(release_id="large", model=large))
    wait(lambda: serving.world.engine.problem(preview, large.sha256) is None, 300)
    serving.world.router.write(
        switched_to(releases.state, preview, "large", large.sha256, seq=0), instead_of=releases.state
    )


def _rate(endpoint: Endpoint, num_streams: int) -> float:
    def ask(number: int, due_at: float) -> Timing:
        return stream_chat(endpoint, user_says(PROMPTS[number % len(PROMPTS)]), due_at)

    ended = closed_loop(ask, 3 * num_streams, num_streams, lambda outcome: None)
    found = summarise(ended.outcomes, ended.seconds)
    assert found.num_failed == 0, found.problems
    return found.tokens_per_second


def crashes(releases: Releases) -> list[Crash]:
    with users(releases.serving.world.router.url(), LINE, PROMPTS[0]) as asking:
        found = [*crashed_promotions(releases, asking), *crashed_rollbacks(releases, asking)]
    say(f"{len(found)} crash points")
    return found


def _become_ops(settings: Settings) -> NoReturn:
    """This program, in the environment that promote and rollback run in."""
    python = settings.python("ops")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, install_tools(settings, "ops")))}
    os.execve(python, [str(python), "-m", "tests.benchmarks.promotion", *sys.argv[1:]], environment)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", type=int, default=20)
    parser.add_argument("--rollbacks", type=int, default=5)
    parser.add_argument("--streams", type=int, default=8)
    options = parser.parse_args(arguments)
    settings = load(ROOT / "ratchet.toml")
    if sys.prefix != str(settings.python("ops").parents[1]):
        _become_ops(settings)
    with started() as serving:
        releases, starts = cold_starts(serving)
        rates = {"the tests' model": tokens_per_second(releases, options.streams, NUM_PAIRS)}
        seen = moved(releases, options.switches, options.rollbacks, options.streams)
        for failure in seen.failures:
            say(failure)
        killed = crashes(releases)
        serve_large(releases)
        rates["113 M parameters"] = tokens_per_second(releases, options.streams, NUM_PAIRS_LARGE)
        print(f"\n{table(seen, starts, rates)}\n")
        print(crash_table(killed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
