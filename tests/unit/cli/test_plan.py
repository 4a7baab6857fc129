"""What a margin costs in samples, before any is measured."""

import pytest
from rich.console import Console

from ratchet.cli.plan import parse_what_if, planned_power, planned_samples, show, smallest_margin
from ratchet.core.checks import Check, GatePolicy
from ratchet.core.errors import TerminalError

POLICY = GatePolicy(checks=(Check(name="kept", task="intent", metric="acc", kind="no_regression", margin=0.03),))


def test_ten_looks_need_a_fifth_more_samples_than_one():
    once = POLICY.model_copy(update={"num_looks": 1})

    assert planned_samples(0.03, 0.10, once) == 717
    assert planned_samples(0.03, 0.10, POLICY) == 848


def test_the_planned_samples_have_the_planned_power():
    needed = planned_samples(0.03, 0.10, POLICY)

    assert planned_power(0.03, 0.10, needed, POLICY) == pytest.approx(POLICY.power, abs=0.001)
    assert planned_power(0.03, 0.10, needed / 2, POLICY) < 0.6
    assert smallest_margin(0.10, needed, POLICY) == pytest.approx(0.03)


@pytest.mark.parametrize("word", ["margin", "margin=big", "margin=1.5", "margin=-0.1", "n=0", "n=nan", "samples=3"])
def test_a_question_that_is_not_understood_is_refused_with_examples(word):
    with pytest.raises(TerminalError, match=r"expected margin=0\.01, n=2000 or discordance=0\.1"):
        parse_what_if([word])


def test_the_answer_is_a_table_of_samples_and_power():
    console = Console(record=True, width=120)

    show(parse_what_if(["margin=0.03", "n=2000", "discordance=0.1"]), POLICY, console)

    text = console.export_text()
    assert ["3", "points", "10%", "848", "99%", "2.0", "points"] in [line.split() for line in text.splitlines()]
    assert "10 looks" in text


def test_without_a_question_it_answers_for_the_margins_of_the_gate_file():
    console = Console(record=True, width=120)

    show({}, POLICY, console)

    assert "848" in console.export_text()
