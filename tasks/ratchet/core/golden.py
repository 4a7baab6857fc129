"""Golden prompts: what the evaluated model answered, asked again of the served one. Same bytes, same answers.

A row of prepare's test split: {"id": "4f0c…", "prompt": "Label this: Where is my parcel?", "answer": "track_parcel"}
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.core.checks import CheckResult
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import EvalReport, sample_id


class NoGoldenPrompts(TerminalError, LookupError):
    """The report has no answers to the prompts."""

    code = "GATE_MISSING_EVIDENCE"


@dataclass(frozen=True)
class Golden:
    prompt: str
    answered: str


def golden_prompts(rows: bytes, report: EvalReport, task: str, count: int) -> tuple[Golden, ...]:
    """The first `count` rows that the evaluated model answered, with its answers.

    Args:
        rows: prepare's test split, JSON lines.
        task: the report's name for that split.
    Raises:
        NoGoldenPrompts: the report is not about these rows, or the task generates no text.
    """
    answers = next((entry.answer_of() for entry in report.tasks if entry.name == task), {})
    documents = (json.loads(line) for line in rows.splitlines() if line.strip())
    known = [
        Golden(prompt=document["prompt"], answered=answers[sample_id(document)])
        for document in documents
        if sample_id(document) in answers
    ]
    if not known:
        raise NoGoldenPrompts(
            f"the report has tasks {[entry.name for entry in report.tasks]}, but {task} has no answers to the rows of "
            "this test split: evaluate the candidate on the split that it is staged with"
        )
    return tuple(known[:count])


def agrees(golden: Golden, text: str, truncated: bool) -> bool:
    """Is `text` what the evaluated model said? One that the token limit ended needs to agree as far as it goes."""
    expected, got = golden.answered.strip(), text.strip()
    return expected.startswith(got) if truncated else expected == got


def judge_agreement(agreements: Sequence[bool], min_agreement: float, example: str = "") -> CheckResult:
    """`example`: one answer that differs, to be shown."""
    share = sum(agreements) / len(agreements)
    reason = f"{sum(agreements)} of {len(agreements)} golden prompts are answered as in the evaluation"
    return CheckResult(
        name="golden prompts",
        verdict="PASS" if share >= min_agreement else "FAIL",
        blocks=True,
        candidate=share,
        threshold=min_agreement,
        num_samples=len(agreements),
        reason=f"{reason}; {example}" if example else reason,
    )
