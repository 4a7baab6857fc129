import pytest
from tests.unit.report import evidence

from ratchet.core.checks import Verdict
from ratchet.report.contract import ReportInputs
from ratchet.report.judge import join_verdicts
from ratchet.report.summary import plain, summary
from ratchet.report.view import view


def summary_of(inputs: ReportInputs) -> str:
    rows = evidence.split_rows()
    reports = evidence.eval_report(rows, 0.7, seed=1, model="c"), evidence.eval_report(rows, 0.05, seed=2, model="b")
    page = view(
        inputs, join_verdicts(inputs), reports, evidence.origin(), rows, evidence.receipt(), evidence.training_log()
    )
    return summary(page)


def test_the_form_says_verdict_scores_checks_and_what_goes_live() -> None:
    text = summary_of(evidence.inputs())

    assert text.startswith("**PASS** · Approve: all 5 blocking checks passed")
    assert "| intent exact_match | 5.0% (3.4% to 7.1%) | 68.7% (64.8% to 72.4%) | +63.7 points |" in text
    assert "| gate: arithmetic kept | PASS |" in text
    assert "Would go live on `green`: model `cccccccccccc`, tuned on 4,812 rows (310 new)" in text
    assert "`ratchet report support-4f2a91c07b3d`" in text


def test_the_form_names_adapter_and_base_where_they_would_serve() -> None:
    inputs = evidence.inputs(lane="adapter")
    adapter, base = inputs.adapter.sha256[:12], inputs.origin.base.sha256[:12]

    text = summary_of(inputs)

    assert f"model `cccccccccccc` (as adapter `{adapter}` on base `{base}`), tuned on" in text
    assert "as adapter" not in summary_of(evidence.inputs())


@pytest.mark.parametrize("num_checks", [1, 40])
def test_the_form_stays_short_and_shows_what_did_not_pass(num_checks: int) -> None:
    many = tuple(evidence.check(f"check {i}", "PASS", "fine " * 80) for i in range(num_checks))
    bad = evidence.check("the bad one", "FAIL", "broken")

    text = summary_of(evidence.inputs(stage_checks=(*many, bad), stage_verdict="FAIL"))

    assert len(text.splitlines()) <= 25
    assert max(map(len, text.splitlines())) < 400
    assert "the bad one" in text


@pytest.mark.parametrize("verdict", ["PASS", "INCONCLUSIVE"])
def test_an_override_is_called_one(verdict: Verdict) -> None:
    text = summary_of(evidence.inputs(gate_verdict=verdict))

    assert ("override" in text) == (verdict == "INCONCLUSIVE")


def test_text_of_others_cannot_break_out_of_its_cell() -> None:
    hostile = "a | b\n| c <script> {{ secret }} `x` [l](u) *b*"

    assert plain(hostile) == "a \\| b \\| c &lt;script> &#123;&#123; secret }} \\`x\\` \\[l\\](u) \\*b\\*"
