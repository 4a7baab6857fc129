"""`ratchet rollback --dry-run`: what a roll-back would do now, and nothing done."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ratchet.clients.settle import author
from ratchet.clients.world import World
from ratchet.core.releases import LedgerEvent
from ratchet.rollback.contract import RollbackInputs
from ratchet.rollback.plan import Plan, plan, to_be_written


def dry_run(world: World, inputs: RollbackInputs, console: Console) -> None:
    """Needs the router alone, or the ledger too where the release is not loaded any more. Raises as it would."""
    who = author(inputs.by, inputs.reason)
    planned = plan(inputs, world, who)
    table = Table(box=None, pad_edge=False, show_header=False)
    state = planned.state
    table.add_row("from", f"{state.active_release} (model {state.active_model[:12]}), on {state.active}")
    table.add_row("to", _to(planned))
    table.add_row("how", escape(_how(planned)))
    table.add_row("ledger", escape(_ledger(to_be_written(planned, inputs, world, who))))
    console.print(table)
    console.print("a dry run: nothing was changed")


def _to(planned: Plan) -> str:
    if planned.target is None:
        return f"{planned.state.active_release}: the users are there already"
    release = planned.target.release
    return f"{release.release_id} (model {release.model.sha256[:12]}), on {planned.target.colour}"


def _how(planned: Plan) -> str:
    state = planned.state
    if state.canary and planned.target is None:
        return (
            f"the canary of {state.releases[state.canary]} on {state.canary} ends: all users on {state.active}, at once"
        )
    if planned.target is None:
        return "nothing would move"
    if planned.cold is None:
        return f"warm switch, in a second or so: {planned.target.colour} answers as this model now"
    return f"cold start, which takes minutes, then the switch: {planned.cold}"


def _ledger(events: list[LedgerEvent] | None) -> str:
    if events is None:
        return "cannot be read now: the event would wait beside the router, and the next command would write it"
    told = [f"event {event.seq}: {event.kind} to {event.release_id} by {event.by}: {event.note}" for event in events]
    return "\n".join(told) or "nothing would be written"
