"""May this candidate leave its colour?"""

from collections.abc import Mapping

from ratchet.clients.engine import LoadedModel
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState
from ratchet.unload.contract import UnloadInputs


def colour_to_unload(
    state: RouterState | None, loaded: Mapping[Colour, LoadedModel | None], inputs: UnloadInputs
) -> tuple[Colour | None, str]:
    """The colour that holds exactly this candidate for nobody, or None; and why."""
    candidate = LoadedModel(release_id=inputs.release_id, model=inputs.model)
    for colour, model in loaded.items():
        if model is None or (model.release_id, model.model.sha256) != (candidate.release_id, candidate.model.sha256):
            continue
        if state and colour == state.active:
            return None, f"{inputs.release_id} stays: it has the users, on {colour}"
        if state and colour == state.previous and state.releases.get(colour) == inputs.release_id:
            return None, f"{inputs.release_id} stays on {colour}: it is what a roll-back goes to"
        return colour, f"{inputs.release_id} left {colour}: it was not released"
    held = ", ".join(f"{colour} holds {model.release_id}" for colour, model in loaded.items() if model)
    return None, f"{inputs.release_id} is on no colour: {held or 'both are empty'}"
