import pytest
from tests.fakes.events import RELEASED, ROLLED_BACK, model, sha

from ratchet.clients.engine import LoadedModel
from ratchet.clients.way_back import Target
from ratchet.core.golden import judge_agreement
from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import RouterState, first_state, swapped_back, switched_to
from ratchet.drill.decide import NoWayBack, PreviewBusy, WayBackBroken, check_answers, what_to_rehearse

ON_A = first_state("blue", "a", sha("a"), seq=0)
ON_B = switched_to(ON_A, "green", "b", sha("b"), seq=2)


def loaded(release: str) -> LoadedModel:
    return LoadedModel(release_id=release, model=model(release))


@pytest.mark.parametrize("on_blue", [loaded("a"), None], ids=["still loaded", "unloaded by a release that failed"])
def test_what_a_roll_back_leads_to_is_rehearsed(on_blue: LoadedModel | None) -> None:
    assert what_to_rehearse(RELEASED, ON_B, {"blue": on_blue, "green": loaded("b")}) == Target("blue", loaded("a"))


@pytest.mark.parametrize(
    ("events", "state", "words"),
    [(RELEASED[:1], ON_A, "it is the first release"), (ROLLED_BACK, swapped_back(ON_B), "it was itself gone back to")],
)
def test_without_a_way_back_there_is_nothing_to_rehearse(
    events: list[LedgerEvent], state: RouterState, words: str
) -> None:
    with pytest.raises(NoWayBack, match=words) as caught:
        what_to_rehearse(events, state, {"blue": loaded("a"), "green": loaded("b")})

    assert caught.value.exit_code == 99


def test_a_staged_candidate_is_not_disturbed() -> None:
    with pytest.raises(PreviewBusy, match="blue holds c, the candidate") as caught:
        what_to_rehearse(RELEASED, ON_B, {"blue": loaded("c"), "green": loaded("b")})

    assert caught.value.exit_code == 99


def test_other_answers_than_approved_are_no_way_back() -> None:
    target = Target("blue", loaded("a"))
    check_answers(target, judge_agreement([True] * 9 + [False], min_agreement=0.9))

    with pytest.raises(WayBackBroken, match=r"a on blue would not do: 8 of 10 golden prompts.*at least 90%") as caught:
        check_answers(target, judge_agreement([True] * 8 + [False] * 2, min_agreement=0.9))

    assert caught.value.exit_code == 65
