"""Look at production from all sides, and ask it as users do. Nothing is changed, whatever is found."""

from datetime import UTC, datetime

from ratchet.clients.approved import approved_answers
from ratchet.clients.edge_keys import own_key
from ratchet.clients.openai import EngineAway, chat
from ratchet.clients.probe import QUESTION, Probe
from ratchet.clients.verification import gather, heard
from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo
from ratchet.core.golden import Golden, agrees
from ratchet.core.log import log
from ratchet.core.releases import LedgerEvent, Production, approved_on, production
from ratchet.core.verification import verify
from ratchet.monitor.contract import MonitorInputs, MonitorOutputs
from ratchet.monitor.decide import Answers, check_calm, conclude


class NothingInProduction(NothingToDo, LookupError):
    """There is nothing to look at."""


def run(inputs: MonitorInputs, world: World) -> MonitorOutputs:
    facts = gather(world, inputs.line, world.router.url())
    events = facts.ledger.value or ()
    check_calm(events, datetime.now(UTC))
    live = production(events)
    if live is None and facts.ledger.value is not None:
        raise NothingInProduction(f"{inputs.line} has nothing in production yet: run `ratchet up`")
    answers = heard(lambda: _ask(inputs, world, [*events], live))
    release_id = live.release_id if live else ""
    outputs = conclude(inputs, release_id, verify(facts), answers)
    for remark in outputs.remarks:
        log.warning("not all could be seen", extra={"remark": remark})
    log.info("production is as approved", extra=outputs.model_dump(exclude={"contract_version", "remarks"}))
    return outputs


def _ask(inputs: MonitorInputs, world: World, events: list[LedgerEvent], live: Production | None) -> Answers:
    if live is None:  # the ledger's own row says why
        return Answers((), has_golden=False)
    record_sha256 = approved_on(events, live.release_id, live.model.sha256)
    golden = approved_answers(world.store, record_sha256, inputs.task, inputs.num_golden_prompts)
    asked = golden or (Golden(QUESTION, answered=""),)
    return Answers([_probe(world, inputs, entry) for entry in asked], has_golden=bool(golden))


def _probe(world: World, inputs: MonitorInputs, asked: Golden) -> Probe:
    """A failure that users meet is one. A refusal is not: the edge may want a key that this step does not have."""
    try:
        key = own_key(world.settings)
        answer = chat(world.router.url(), inputs.line, asked.prompt, inputs.max_answer_tokens, key=key)
    except EngineAway as error:
        return Probe(problem=str(error))
    return Probe(release=answer.release, agrees=agrees(asked, answer.text, answer.truncated))
