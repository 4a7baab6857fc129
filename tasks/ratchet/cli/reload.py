"""`ratchet reload`: the colour without users is stopped and started anew with what it holds, every byte verified."""

import time

from rich.console import Console

from ratchet.clients.way_back import Target, start
from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo, NotSetUp, TerminalError
from ratchet.core.rollout import other


class HasUsers(TerminalError, RuntimeError):
    """Both colours answer users now: to stop one would cut answers."""

    code = "REFUSED"


class HoldsNothing(NothingToDo, LookupError):
    """The colour without users is empty."""


def reload(world: World, console: Console) -> None:
    """Raises NotSetUp, HasUsers, HoldsNothing, and DidNotComeUp when it does not answer afterwards."""
    state = world.router.read()
    if state is None:
        raise NotSetUp("no colour has the users yet: run `ratchet up`")
    if state.canary:
        raise HasUsers(
            f"a canary is under way: {state.canary} answers users too; `ratchet rollback` ends it, then reload again"
        )
    colour = other(state.active)
    held = world.engine.loaded(colour)
    if held is None:
        raise HoldsNothing(f"{colour} holds nothing; {state.active} has the users and is not touched")
    begun = time.monotonic()
    # Unloaded, not only stopped: its files are fetched from the store again, so that changed ones are gone.
    world.engine.unload(colour)
    start(world.engine, Target(colour, held))
    console.print(
        f"{colour} answers as {held.release_id} again, after {time.monotonic() - begun:.0f} s; "
        f"the users are on {state.active}, as before"
    )
