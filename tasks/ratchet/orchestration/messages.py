"""The texts of messages to people: what happened, and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ratchet.core.drift import EMBEDDING
from ratchet.core.drifts import Drift
from ratchet.core.failures import Failure
from ratchet.core.notices import Notice
from ratchet.core.quality import Quality, in_words


@dataclass(frozen=True)
class Message:
    """Plain text: nothing in it is rendered."""

    title: str
    body: str


def about(notice: Notice, escalate_to: Sequence[str] = ()) -> Message:
    """`escalate_to` are named from the escalation on: they are told, the approvers alone can answer."""
    release, approvers = notice.release_id, " or ".join(notice.approvers)
    if notice.moment == "timed out":
        return Message(
            f"Rejected: nobody answered about {release}",
            f"Run {notice.run_id} of {notice.line} waited {_hours(notice)} for {approvers} and was rejected; its "
            "candidate is unloaded, production is as it was. To be asked again: `ratchet retrain` (it is quick).",
        )
    titles = {
        "asked": f"{release} waits for approval",
        "reminded": f"{release} still waits for approval",
        "escalated": f"{release} is about to be rejected: nobody answers",
    }
    told = f" Also told: {', '.join(escalate_to)}." if escalate_to and notice.moment == "escalated" else ""
    return Message(
        titles[notice.moment],
        f"Run {notice.run_id} of {notice.line} waits for {approvers}{_since(notice)}.{told}\n"
        f"Read the report: `ratchet report {release}`\n"
        f'Answer: `ratchet approve {release}`, or `ratchet reject {release} --reason "…"`, or at {notice.page}\n'
        f"Without an answer it is rejected and unloaded at {_time(notice.rejects_at)}.",
    )


def about_drift(look: Drift) -> Message:
    """Numbers only: what users wrote is in no message."""
    moved = {shift.feature: (shift.psi, shift.limit) for shift in look.shifts}
    moved[EMBEDDING] = (look.embedding.distance, look.embedding.limit)
    told = ", ".join(f"{name} {moved[name][0]:.3f} (told above {moved[name][1]:.3f})" for name in look.drifted)
    return Message(
        f"Users ask {look.line} otherwise than it was trained",
        f"{look.num_texts} texts from {look.first_day} to {look.last_day}, against what {look.release_id} was trained "
        f"on: {told}.\n"
        "Users are served as before. What it means: docs/runbooks/drift.md\n"
        "Rows like what they ask now make the next release know it: `ratchet submit FILE --release`",
    )


def about_quality(look: Quality) -> Message:
    """Numbers only: what users wrote, and what they were answered, is in no message."""
    return Message(
        f"{look.release_id} of {look.line} answers worse than it did: {', '.join(look.worse)}",
        "\n".join(
            (
                f"Answers from {look.first_day} to {look.last_day} were looked at.",
                *in_words(look),
                "Nothing was changed. What it means, and what to do: docs/quality.md",
            )
        ),
    )


def about_failure(line: str, dag_id: str, run_id: str, task: str | None, why: Failure | None) -> Message:
    """`task` failed last, None when the run was ended otherwise; `why` is None when no step left a record of it."""
    where = f" in {task}" if task else ""
    title = f"{dag_id} failed{where}"
    if why is None:
        return Message(
            title,
            f"Run {run_id} of {line} ended failed{where}, and no step says why; Airflow has its log.\n"
            "Is doing nothing safe? `ratchet verify` says whether users are served as they should be.\n"
            "What to do: docs/runbooks/run-fails.md",
        )
    return Message(
        f"{title}: {why.title}",
        f"Run {run_id} of {line} ended failed{where}, with all its retries.\n"
        f"Is doing nothing safe? {why.waiting}\n"
        f"What to do: `ratchet explain {run_id}`",
    )


def _since(notice: Notice) -> str:
    return "" if notice.moment == "asked" else f", for {_hours(notice)} now, since {_time(notice.asked_at)}"


def _hours(notice: Notice) -> str:
    return f"{(notice.at - notice.asked_at).total_seconds() / 3600:.1f} h"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
