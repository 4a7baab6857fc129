"""The approval form's text: Markdown, at most 25 lines, with a table."""

from ratchet.core.amounts import duration
from ratchet.core.checks import CheckResult, Verdict
from ratchet.report.contract import ReportInputs
from ratchet.report.costs import RunCosts
from ratchet.report.view import CheckRow, Page, short

_MAX_SCORES = 4
_MAX_CHECKS = 6
_MAX_REASON = 160
_TOLD = ("Per point gained", "Over budget")  # of the page's lines on spending


def summary(page: Page) -> str:
    inputs = page.inputs
    shown = sorted(page.checks, key=_urgency)[:_MAX_CHECKS]
    hidden = len(page.checks) - len(shown)
    lines = [
        f"**{page.verdict}** · {plain(page.recommendation)}",
        *(f"_{plain(note)}_" for note in page.notes),
        "",
        "| score | production | candidate | change |",
        "| --- | --- | --- | --- |",
        *(
            f"| {plain(row.name)} | {row.baseline.text if row.baseline else '-'} | {row.candidate.text} "
            f"| {row.change} |"
            for row in page.scores[:_MAX_SCORES]
        ),
        "",
        "| check | verdict | why |",
        "| --- | --- | --- |",
        *(f"| {row.part}: {plain(row.check.name)} | {row.check.verdict} | {_why(row.check)} |" for row in shown),
        f"{hidden} more checks are in the report.\n" if hidden else "",
        f"- {_what_goes_live(inputs, page.verdict)}",
        f"- {_what_changed(page)}",
        *([f"- {' '.join([_what_it_cost(page.costs), *_what_it_bought(page)])}"] if page.costs else []),
        f"- The whole report: `ratchet report {inputs.release_id}`",
    ]
    return "\n".join(lines)


def plain(text: str) -> str:
    """One line that means only itself: no table borders, HTML, links or templates, whoever wrote the text.

    Underscores stay bare: inside words, where they are, Markdown leaves them alone, and a terminal shows them too.
    """
    line = " ".join(text.split()).replace("<", "&lt;").replace("{", "&#123;")
    return "".join(f"\\{letter}" if letter in "|*`[]" else letter for letter in line)


def _urgency(row: CheckRow) -> tuple[int, bool]:
    return ("FAIL", "INCONCLUSIVE", "PASS").index(row.check.verdict), not row.blocks


def _why(check: CheckResult) -> str:
    reason = check.reason if len(check.reason) <= _MAX_REASON else f"{check.reason[: _MAX_REASON - 1]}…"
    return plain(reason)


def _what_goes_live(inputs: ReportInputs, verdict: Verdict) -> str:
    override = " This is an override: write the reason." if verdict == "INCONCLUSIVE" else ""
    served_as = ""
    if inputs.lane == "adapter":
        served_as = f" (as adapter `{short(inputs.adapter.sha256)}` on base `{short(inputs.origin.base.sha256)}`)"
    return (
        f"Would go live on `{inputs.serving.colour}`: model `{short(inputs.candidate.sha256)}`{served_as}, tuned on "
        f"{inputs.data.num_rows:,} rows ({inputs.data.num_new_rows:,} new); in production now: "
        f"`{short(inputs.baseline.sha256)}` ({inputs.baseline_release_id}).{override}"
    )


def _what_changed(page: Page) -> str:
    changed = ", ".join(change.what.lower() for change in page.changes if change.changed)
    unknown = ", ".join(change.what.lower() for change in page.changes if change.changed is None)
    return f"Changed since production: {changed or 'nothing'}" + (f"; not on record: {unknown}." if unknown else ".")


def _what_it_cost(costs: RunCosts) -> str:
    longest = f" (longest: {costs.longest.task}, {duration(costs.longest.seconds or 0.0)})" if costs.longest else ""
    parts = [
        *([plain(costs.priced(costs.money))] if costs.money is not None else []),
        f"{duration(costs.seconds)} of steps{longest}",
        *([f"{duration(costs.saved_seconds)} found and not done again"] if costs.saved_seconds else []),
        f"{costs.num_measured:,} of {costs.num_samples:,} samples asked",
        f"{costs.num_tokens:,} tokens trained",
    ]
    return f"Cost: {', '.join(parts)}."


def _what_it_bought(page: Page) -> list[str]:
    return [f"{line.what}: {plain(line.text)}." for line in page.spending if line.what in _TOLD]
