"""Steps that are killed after each of their effects, on real engines behind the real edge, while users ask."""

from collections.abc import Iterator

import pytest
from tests.steps.serving.crashes import Crash, crashed_promotions, crashed_rollbacks
from tests.steps.serving.load import Users, users
from tests.steps.serving.models import PROMPTS
from tests.steps.serving.releases import LINE, Releases

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def load(releases: Releases) -> Iterator[Users]:
    with users(releases.serving.world.router.url(), LINE, PROMPTS[0], num_threads=2) as load:
        yield load
    assert load.failures == []
    assert set(load.answers) == {("base", "base"), ("tuned", "tuned")}  # each answer by the release that it names


def test_no_user_notices_a_promotion_that_is_killed_after_any_effect(releases: Releases, load: Users) -> None:
    crashes = list(crashed_promotions(releases, load))

    _print(crashes)
    assert len(crashes) >= 8
    # The switch itself, the shares of the canary, and the records around them were all met.
    assert len({crash.users_on for crash in crashes}) >= 4


def test_no_user_notices_a_roll_back_that_is_killed_after_any_effect(releases: Releases, load: Users) -> None:
    crashes = list(crashed_rollbacks(releases, load))

    _print(crashes)
    assert len(crashes) >= 3


def _print(crashes: list[Crash]) -> None:
    for crash in crashes:
        print(f"{crash.step} killed after {crash.effect}: {crash.users_on}; mended in {crash.mended_seconds:.1f} s")
