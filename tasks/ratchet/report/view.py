"""All that the page shows, gathered from the evidence: the template decides nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ratchet.core.checks import CheckResult, Verdict, worth_showing
from ratchet.core.contract import digest_json
from ratchet.core.evaluation import EvalReport
from ratchet.report import words
from ratchet.report.changes import Change, changes
from ratchet.report.charts import CheckChart, Curve, ScoreRow, check_chart, curve, score_rows
from ratchet.report.contract import Origin, ReportInputs
from ratchet.report.costs import RunCosts
from ratchet.report.samples import ChangedSamples, changed_samples
from ratchet.report.slices import SliceChanges, slice_changes
from ratchet.report.spending import Line

_MIB = 1 << 20


@dataclass(frozen=True)
class CheckRow:
    part: str
    check: CheckResult
    blocks: bool
    chart: CheckChart | None

    @property
    def noise(self) -> str:
        """In the units of the effect; empty where nothing was measured twice."""
        if self.check.noise is None:
            return ""
        shares = all(0 <= score <= 1 for score in (self.check.candidate, self.check.baseline) if score is not None)
        return f"{100 * self.check.noise:.1f} points" if shares else f"{self.check.noise:.3g}"


@dataclass(frozen=True)
class Digest:
    what: str
    sha256: str


@dataclass(frozen=True)
class Page:
    """`costs` is None where nobody asks for them: then their section is not there."""

    inputs: ReportInputs
    verdict: Verdict
    recommendation: str
    move: str
    notes: tuple[str, ...]
    changes: tuple[Change, ...]
    scores: tuple[ScoreRow, ...]
    checks: tuple[CheckRow, ...]
    slices: SliceChanges | None
    samples: ChangedSamples | None
    reasons: tuple[Mapping[str, Any], ...]
    curve: Curve | None
    digests: tuple[Digest, ...]
    costs: RunCosts | None = None
    spending: tuple[Line, ...] = ()


def view(
    inputs: ReportInputs,
    verdict: Verdict,
    reports: tuple[EvalReport, EvalReport],
    before: Origin | None,
    prompts: list[dict[str, Any]],
    receipt: Mapping[str, Any],
    training_log: bytes,
) -> Page:
    """`reports`: the candidate's and the baseline's. `before`: what production was made of, None where nobody kept it.
    `prompts`: the test split's rows. `receipt` is validate's, `training_log` finetune's JSON lines.
    """
    candidate, baseline = reports
    return Page(
        inputs=inputs,
        verdict=verdict,
        recommendation=words.recommendation(inputs, verdict),
        move=words.move(inputs),
        notes=words.notes(inputs),
        changes=changes(inputs, before, candidate, baseline),
        scores=score_rows(words.score_pairs(inputs)),
        checks=tuple(check_rows(inputs)),
        slices=slice_changes(candidate, baseline),
        samples=changed_samples(candidate, baseline, prompts),
        reasons=tuple(
            reason
            for reason in receipt.get("reasons", ())
            if reason["num_rows"] and reason.get("action", "quarantine") == "quarantine"
        ),
        curve=curve(losses(training_log)),
        digests=tuple(digests(inputs)),
    )


def check_rows(inputs: ReportInputs) -> list[CheckRow]:
    """What did not pass comes first within its part, so that the eye finds it. Of the slices, only what fails."""

    def rows(part: str, checks: Sequence[CheckResult], part_blocks: bool) -> list[CheckRow]:
        ordered = sorted(worth_showing(checks), key=lambda check: ("FAIL", "INCONCLUSIVE", "PASS").index(check.verdict))
        return [
            CheckRow(part, check, (check.blocks or check.guards) and part_blocks, check_chart(check))
            for check in ordered
        ]

    return [
        *rows("gate", inputs.gate_checks, part_blocks=True),
        *rows("stage", inputs.stage_checks, part_blocks=True),
        *rows("conversion", inputs.conversion_checks, part_blocks=inputs.conversion_blocks),
    ]


def losses(training_log: bytes) -> list[tuple[int, float]]:
    records = [json.loads(line) for line in training_log.splitlines()]
    return [(record["step"], record["metrics"]["loss"]) for record in records if "loss" in record["metrics"]]


def digests(inputs: ReportInputs) -> list[Digest]:
    return [
        Digest("candidate (merged model)", inputs.candidate.sha256),
        Digest("production now", inputs.baseline.sha256),
        Digest("base model", inputs.origin.base.sha256),
        Digest("adapter", inputs.adapter.sha256),
        Digest("LiteRT bundle", inputs.bundle.sha256),
        Digest("dataset version", inputs.dataset.sha256),
        Digest("training set", inputs.train.sha256),
        Digest("test split", inputs.prompts.sha256),
        Digest("recipe", inputs.recipe_sha256),
        Digest("candidate's evaluation", inputs.candidate_report.sha256),
        Digest("production's evaluation", inputs.baseline_report.sha256),
        Digest("training log", inputs.training_log.sha256),
        Digest("receipt", inputs.data.receipt.sha256),
        *(Digest(f"packages of {name}", step.lock_sha256) for name, step in sorted(inputs.origin.code.steps.items())),
        *([Digest("production's decision record", before)] if (before := inputs.baseline_record_sha256) else []),
        Digest("all of this evidence", digest_json(inputs)),
    ]


def short(sha256: str) -> str:
    return sha256[:12]


def mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / _MIB:,.1f} MiB"
