"""What of all that was seen is in order, what is only worth a word, and what must not stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ratchet.clients.probe import Probe
from ratchet.core.errors import NothingToDo, TransientError
from ratchet.core.golden import judge_agreement
from ratchet.core.releases import LedgerEvent, under_way
from ratchet.core.verification import Heard, Row
from ratchet.monitor.contract import MonitorInputs, MonitorOutputs

# The registry mirrors the ledger; the next release mends it.
DECIDES_NOTHING = "alias "


class PromotionUnderWay(NothingToDo, RuntimeError):
    """Users are on their way to another release, and whoever moves them watches."""


class NotAsApproved(TransientError, ValueError):
    """Production is not what it is meant to be. Looked at again before it is red: a roll-back moves users first and
    tells the ledger then, so a single look may fall between the two.
    """

    code = "PRODUCTION_STRAYED"


@dataclass(frozen=True)
class Answers:
    """Golden prompts as users were answered; `has_golden` is False of the untuned base, which was only asked."""

    probes: Sequence[Probe]
    has_golden: bool


def check_calm(events: Sequence[LedgerEvent], now: datetime) -> None:
    """Raises PromotionUnderWay."""
    if intent := under_way(events, now):
        raise PromotionUnderWay(
            f"{intent.release_id} is being promoted since {intent.at:%Y-%m-%d %H:%M} UTC: promote and bake watch it"
        )


def conclude(inputs: MonitorInputs, release_id: str, rows: Sequence[Row], heard: Heard[Answers]) -> MonitorOutputs:
    """Raises NotAsApproved, with every difference and what to do about it."""
    wrong = [row for row in rows if row.standing == "differs" and not row.what.startswith(DECIDES_NOTHING)]
    answers = heard.value or Answers((), has_golden=False)
    differences = [f"{row.what}: expected {row.expected}, got {row.got} ({row.where}). {row.remedy}" for row in wrong]
    differences += _wrong_answers(inputs, release_id, answers)
    if heard.fault:
        differences.append(f"golden answers: {heard.fault}")
    if differences:
        raise NotAsApproved(f"production is not what the ledger says. {'; '.join(differences)}. See `ratchet verify`")
    remarks = [f"{row.what}: {row.got}" for row in rows if row.standing != "ok"]
    if heard.silence:
        remarks.append(f"golden answers: {heard.silence}")
    return MonitorOutputs(
        release_id=release_id,
        num_ok=sum(row.standing == "ok" for row in rows),
        num_golden=len(answers.probes) if answers.has_golden else 0,
        num_agreed=sum(bool(probe.agrees) for probe in answers.probes) if answers.has_golden else 0,
        remarks=tuple(remarks),
    )


def _wrong_answers(inputs: MonitorInputs, release_id: str, answers: Answers) -> list[str]:
    failed = [probe.problem for probe in answers.probes if probe.problem is not None]
    answered = [probe for probe in answers.probes if probe.problem is None]
    found = []
    if len(failed) > inputs.max_error_rate * len(answers.probes):
        found.append(f"users: {len(failed)} of {len(answers.probes)} requests failed; the last one: {failed[-1]}")
    if others := {str(probe.release) for probe in answered} - {release_id}:
        found.append(f"users: answered by {', '.join(sorted(others))}, expected {release_id}")
    if answers.has_golden and answered:
        check = judge_agreement([bool(probe.agrees) for probe in answered], inputs.min_golden_agreement)
        if check.verdict != "PASS":
            found.append(f"users: {check.reason}, expected at least {inputs.min_golden_agreement:.0%}")
    return found
