"""A canary as it is lived: good and bad candidates, and deaths at every moment."""

import itertools

import pytest
from tests.fakes.events import sha
from tests.fakes.release_world import ReleaseWorld
from tests.steps.promote.canaries import MOMENTS, SETTINGS, assert_users_are_back, die_at, promoted

from ratchet.clients.router import Traffic
from ratchet.core.errors import TerminalError


def _shares(place: ReleaseWorld) -> list[int]:
    """The percent of green in each state that was in force."""
    return [state.weights["green"] for state in place.switch.history]


def test_a_good_candidate_gets_its_shares_and_then_everybody(place: ReleaseWorld) -> None:
    outputs = promoted(place)

    assert (outputs.verdict, outputs.active) == ("PASS", "green")
    assert _shares(place) == [10, 50, 100]
    assert all(state.active == "blue" for state in place.switch.history[:-1])
    assert place.kinds == ["bootstrap", "approved", "promoting", "promoted"]


def test_a_shadow_comes_first_and_gets_no_users(place: ReleaseWorld) -> None:
    promoted(place, SETTINGS.model_copy(update={"shadow": True}))

    assert _shares(place) == [0, 10, 50, 100]
    assert [state.shadow for state in place.switch.history] == ["green", None, None, None]


def test_a_bad_candidate_is_given_up_and_the_ledger_says_why(bad: ReleaseWorld) -> None:
    outputs = promoted(bad)

    assert (outputs.verdict, outputs.active) == ("FAIL", "blue")
    assert "golden prompts" in outputs.reason
    assert _shares(bad) == [10, 0]
    assert bad.kinds == ["bootstrap", "approved", "promoting", "aborted"]
    assert_users_are_back(bad)


def test_a_candidate_that_was_given_up_is_not_tried_again(bad: ReleaseWorld) -> None:
    first = promoted(bad)

    again = promoted(bad)

    assert again.verdict == "FAIL"
    assert first.reason in again.reason
    assert _shares(bad) == [10, 0]


def test_a_new_approval_lets_it_be_tried_again(bad: ReleaseWorld) -> None:
    promoted(bad)
    bad.say("approved", "b")

    assert promoted(bad).verdict == "FAIL"
    assert _shares(bad) == [10, 0, 10, 0]
    assert bad.kinds.count("aborted") == 2


def test_an_engine_that_dies_in_the_canary_ends_it(place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = place.engines.url

    def url(colour: str) -> str:
        tried = place.switch.state is not None and place.switch.state.canary == colour
        return "http://127.0.0.1:9" if tried else ways(colour)  # type: ignore[arg-type]

    monkeypatch.setattr(place.engines, "url", url)

    outputs = promoted(place)

    assert (outputs.verdict, outputs.active) == ("FAIL", "blue")
    assert "probes failed" in outputs.reason
    assert_users_are_back(place)


def test_silence_is_no_success(place: ReleaseWorld) -> None:
    outputs = promoted(place, SETTINGS.model_copy(update={"min_user_requests": 1, "max_stretch": 20.0}))

    assert outputs.verdict == "INCONCLUSIVE"
    assert "too few to judge" in outputs.reason
    assert_users_are_back(place)


def test_users_whose_requests_fail_end_the_canary(place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = itertools.count()
    monkeypatch.setattr(place.switch, "traffic", lambda colour: Traffic(100, 7 * next(counts)))

    outputs = promoted(place)

    assert outputs.verdict == "FAIL"
    assert "users' requests to the candidate failed" in outputs.reason
    assert_users_are_back(place)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_and_run_again_it_finishes(place: ReleaseWorld, moment: int) -> None:
    assert die_at(place, moment)

    assert promoted(place).verdict == "PASS"

    assert place.users_on == place.live == "b"
    assert place.kinds.count("promoted") == 1
    shares = _shares(place)
    assert shares == sorted(shares)  # it went on with the share that it had
    assert place.registry.aliases("support") == {"production": sha("b"), "previous": sha("a")}
    place.world.ledger(place.line).verify()


def test_the_moments_cover_the_whole_promotion(place: ReleaseWorld) -> None:
    assert not die_at(place, MOMENTS[-1] + 1)


# Intent, first share, its end, the event: each with a before and an after.
@pytest.mark.parametrize("moment", range(8))
def test_killed_while_it_gives_up_and_run_again_users_are_back(bad: ReleaseWorld, moment: int) -> None:
    die_at(bad, moment)

    assert promoted(bad).verdict == "FAIL"

    assert bad.kinds[-1] == "aborted"
    assert_users_are_back(bad)


def test_an_edge_that_cannot_share_is_said_before_anything_happens(
    place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place.switch, "why_no_canary", lambda: "services/support has one selector")

    with pytest.raises(TerminalError, match=r"has one selector.*take `canary` out of the recipe"):
        promoted(place)

    assert place.kinds == ["bootstrap", "approved"]
