"""Kill a step's process after each of its effects, look, run the step again, look again; users ask on."""

import itertools
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.steps.serving.conftest import ROOT
from tests.steps.serving.load import Users, wait_for_requests
from tests.steps.serving.releases import QUICK_CANARY, Releases

from ratchet.clients.settings import CONFIG_VARIABLE
from ratchet.clients.world import World
from ratchet.core.contract import Contract
from ratchet.core.rollout import RouterState, other
from ratchet.promote import run as promote
from ratchet.rollback import run as rollback

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Crash:
    """`left`: the router's state when the process was dead. Requests and failures are those until it was mended."""

    step: str
    effect: str
    left: RouterState
    mended_seconds: float
    num_requests: int
    failures: tuple[str, ...]

    @property
    def users_on(self) -> str:
        tried = other(self.left.active)
        share = self.left.weights.get(tried, 0)
        return self.left.active_release + (f", {share} % on {self.left.releases[tried]}" if share else "")


def crashed_promotions(releases: Releases, load: Users) -> Iterator[Crash]:
    """One per effect of a promotion with a canary of two shares. Raises AssertionError for what is not sound."""
    for number in itertools.count():
        wanted, asked = releases.waiting, releases.approved(QUICK_CANARY)
        crash = _crashed(releases, load, number, "promote", asked, promote.run)
        assert releases.live == wanted
        if crash is None:
            return
        yield crash


def crashed_rollbacks(releases: Releases, load: Users) -> Iterator[Crash]:
    """One per effect of a roll-back to the release before. Raises AssertionError for what is not sound."""
    for number in itertools.count():
        wanted = releases.live
        promote.run(releases.approved(), releases.serving.world)
        asked = releases.going_back(reason=f"crash {number}")
        crash = _crashed(releases, load, number, "rollback", asked, rollback.run)
        assert releases.live == wanted
        if crash is None:
            return
        yield crash


def _crashed(
    releases: Releases, load: Users, number: int, step: str, asked: Contract, run: Callable[[Any, World], object]
) -> Crash | None:
    """None when the step has no effect of that number: it ran to its end."""
    num_requests, num_failures = load.num_requests, len(load.failures)
    effect = _die(releases, number, step, asked)
    if effect is None:
        return None
    releases.assert_sound()
    left = releases.state
    wait_for_requests(load, 4)
    started = time.perf_counter()
    run(asked, releases.serving.world)
    mended_seconds = time.perf_counter() - started
    releases.assert_sound()
    releases.assert_told()
    wait_for_requests(load, 4)
    failures = tuple(load.failures[num_failures:])
    return Crash(step, effect, left, mended_seconds, load.num_requests - num_requests, failures)


def _die(releases: Releases, number: int, step: str, asked: Contract) -> str | None:
    """The effect after which the process died; None when it ended before."""
    command = [releases.serving.settings.python("ops"), "-m", "tests.steps.serving.mortal", str(number), step, "-"]
    done = subprocess.run(
        command,
        input=asked.canonical_json(),
        capture_output=True,
        env={**os.environ, CONFIG_VARIABLE: str(releases.serving.config)},
        cwd=ROOT,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr.decode()[-2000:]
    return done.stdout.decode().splitlines()[-1] if done.returncode else None
