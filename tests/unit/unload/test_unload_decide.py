import pytest
from tests.fakes.events import model, sha

from ratchet.clients.engine import LoadedModel
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState, first_state, switched_to, went_back_to
from ratchet.unload.contract import UnloadInputs
from ratchet.unload.decide import colour_to_unload

ONLY_A = first_state("blue", "a", sha("a"), seq=0)
B_LIVE = switched_to(ONLY_A, "green", "b", sha("b"), seq=3)
BACK_ON_A = went_back_to(B_LIVE, "blue", "a", sha("a"))
CANDIDATE_B = UnloadInputs(line="support", release_id="b", model=model("b"))


def held(blue: str | None, green: str | None) -> dict[Colour, LoadedModel | None]:
    names: dict[Colour, str | None] = {"blue": blue, "green": green}
    return {c: LoadedModel(release_id=n, model=model(n)) if n else None for c, n in names.items()}


@pytest.mark.parametrize(
    ("state", "blue", "green", "colour", "why"),
    [
        (ONLY_A, "a", "b", "green", "b left green: it was not released"),
        (BACK_ON_A, "a", "b", "green", "b left green: it was not released"),
        (B_LIVE, "a", "b", None, "b stays: it has the users, on green"),
        (
            switched_to(B_LIVE, "blue", "c", sha("c"), seq=6),
            "c",
            "b",
            None,
            "b stays on green: it is what a roll-back goes to",
        ),
        (ONLY_A, "a", "c", None, "b is on no colour: blue holds a, green holds c"),
        (ONLY_A, "a", None, None, "b is on no colour: blue holds a"),
        (None, None, "b", "green", "b left green: it was not released"),
        (None, None, None, None, "b is on no colour: both are empty"),
    ],
)
def test_only_a_candidate_without_users_leaves(
    state: RouterState | None, blue: str | None, green: str | None, colour: Colour | None, why: str
) -> None:
    assert colour_to_unload(state, held(blue, green), CANDIDATE_B) == (colour, why)


def test_other_bytes_under_the_same_release_stay() -> None:
    loaded = held("a", "b")
    loaded["green"] = LoadedModel(release_id="b", model=model("other bytes"))

    assert colour_to_unload(ONLY_A, loaded, CANDIDATE_B)[0] is None
