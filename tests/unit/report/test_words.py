from tests.unit.report import evidence

from ratchet.core.evaluation import Score
from ratchet.report.words import move, notes, recommendation


def test_a_pass_recommends_approval_with_the_headline_score() -> None:
    assert recommendation(evidence.inputs(), "PASS") == (
        "Approve: all 5 blocking checks passed, and intent exact_match goes from 5.0% to 68.7%."
    )


def test_a_failure_recommends_rejection_and_names_the_check_and_its_numbers() -> None:
    inputs = evidence.inputs(gate_checks=evidence.gate_checks(kept=232), gate_verdict="FAIL")

    assert recommendation(inputs, "FAIL") == "Reject: arithmetic exact_match fell 23.3 points; failed: arithmetic kept."


def test_an_open_question_says_that_approving_is_an_override() -> None:
    inputs = evidence.inputs(gate_checks=evidence.gate_checks(kept=345), gate_verdict="INCONCLUSIVE")

    sentence = recommendation(inputs, "INCONCLUSIVE")

    assert sentence.startswith("Not proved either way: arithmetic exact_match fell 4.5 points; open: arithmetic kept; ")
    assert "approving is an override and needs a written reason" in sentence


def test_several_failures_are_all_named() -> None:
    inputs = evidence.inputs(
        stage_verdict="FAIL",
        stage_checks=(
            evidence.check("golden_prompts", "FAIL", "3 of 12; first: …"),
            evidence.check("latency", "FAIL", "4 x slower"),
        ),
    )

    assert recommendation(inputs, "FAIL") == "Reject: 3 of 12; failed: golden_prompts, latency."


def test_a_task_that_production_never_answered_stands_alone() -> None:
    inputs = evidence.inputs(
        candidate_scores=(Score(task="new", metric="f1", value=12.5, stderr=0.1, num_samples=9),), baseline_scores=()
    )

    assert recommendation(inputs, "PASS").endswith("and new f1 is 12.5.")


def test_a_bad_bundle_is_noted_even_where_it_does_not_block() -> None:
    assert notes(evidence.inputs()) == ()
    assert notes(evidence.inputs(conversion_verdict="FAIL", conversion_blocks=False)) == (
        "The LiteRT bundle's parity is FAIL: it is not published, and the recipe lets the release go on without it.",
    )


def test_advisory_checks_that_did_not_pass_are_noted() -> None:
    gate = (*evidence.gate_checks(), evidence.check("style", "FAIL", "too terse", blocks=False))

    assert notes(evidence.inputs(gate_checks=gate)) == ("Checks that do not block and did not pass: style.",)


def test_a_part_without_checks_is_pointed_at() -> None:
    assert "see the parts below" in recommendation(evidence.inputs(stage_checks=(), stage_verdict="FAIL"), "FAIL")


def test_the_page_says_how_users_get_to_the_candidate() -> None:
    assert move(evidence.inputs()) == "moves all users at once"
    assert move(evidence.inputs(shares=(10, 50))) == (
        "tries it with 10%, then 50% of the users, and then moves all of them,"
    )
    assert "tries it with copies of their requests, then 5% of" in move(evidence.inputs(shares=(0, 5)))
