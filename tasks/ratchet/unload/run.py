"""Free the preview colour of a candidate that will not be released; anything else stays where it is."""

from ratchet.clients.engine import COLOURS
from ratchet.clients.settle import author, end_canary
from ratchet.clients.world import World
from ratchet.core.log import log
from ratchet.unload.contract import UnloadInputs, UnloadOutputs
from ratchet.unload.decide import colour_to_unload


def run(inputs: UnloadInputs, world: World) -> UnloadOutputs:
    loaded = {colour: world.engine.loaded(colour) for colour in COLOURS}
    state = world.router.read()
    colour, reason = colour_to_unload(state, loaded, inputs)
    if colour:
        if state and state.canary == colour:
            end_canary(world, inputs.line, state, author("unload", "the run ended while the canary was under way"))
        world.engine.unload(colour)
    log.info("unloaded" if colour else "unload skipped", extra={"reason": reason})
    return UnloadOutputs(unloaded=colour is not None, reason=reason)
