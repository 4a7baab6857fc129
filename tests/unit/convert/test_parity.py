import pytest

from ratchet.convert.contract import ConvertSettings
from ratchet.convert.parity import Comparison, Measurements, Parity, decide
from ratchet.core.checks import Verdict

SETTINGS = ConvertSettings(min_top1_agreement=0.95, max_label_accuracy_drop=0.02, min_same_answers=0.8)
RIGHT = Comparison(prompt="p", answer="a", merged="a", bundle="a", same_next_token=True)
OTHER_TOKEN = RIGHT.model_copy(update={"same_next_token": False})
LOST = RIGHT.model_copy(update={"bundle": "b"})
GAINED = RIGHT.model_copy(update={"merged": "b"})
BOTH_WRONG = RIGHT.model_copy(update={"merged": "b", "bundle": "b"})
PAD_TOKENS = Comparison(prompt="where is my card?", answer="a", merged="a", bundle="", same_next_token=False)
CONSTANT = PAD_TOKENS.model_copy(update={"bundle": "the the the"})


def measured(rows: list[tuple[Comparison, int]], **more: object) -> Measurements:
    comparisons = tuple(row for row, count in rows for _ in range(count))
    return Measurements.model_validate(
        {"comparisons": comparisons, "num_too_long": 0, "max_logit_difference": 0.2, **more}
    )


def verdicts(parity: Parity) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in parity.checks}


def test_a_bundle_that_says_the_same_passes_every_check() -> None:
    parity = decide(measured([(RIGHT, 250), (BOTH_WRONG, 50)]), SETTINGS)

    assert parity.verdict == "PASS"
    assert verdicts(parity) == {"top1_agreement": "PASS", "label_accuracy": "PASS", "conversation": "PASS"}


@pytest.mark.parametrize("broken", [PAD_TOKENS, CONSTANT])
def test_a_model_that_emits_one_token_for_ever_fails_every_check(broken: Comparison) -> None:
    parity = decide(measured([(broken, 300)]), SETTINGS)

    assert parity.verdict == "FAIL"
    assert set(verdicts(parity).values()) == {"FAIL"}
    assert "'where is my card?' → " in parity.checks[0].reason


@pytest.mark.parametrize(
    ("num_other", "verdict"),
    [(0, "PASS"), (8, "PASS"), (9, "INCONCLUSIVE"), (24, "INCONCLUSIVE"), (25, "FAIL")],
)
def test_top1_agreement_is_judged_against_its_noise(num_other: int, verdict: Verdict) -> None:
    parity = decide(measured([(RIGHT, 300 - num_other), (OTHER_TOKEN, num_other)]), SETTINGS)

    assert verdicts(parity) == {"top1_agreement": verdict, "label_accuracy": "PASS", "conversation": "PASS"}
    assert parity.verdict == verdict


@pytest.mark.parametrize(
    ("num_lost", "num_gained", "verdict"),
    [(0, 0, "PASS"), (2, 0, "PASS"), (3, 0, "INCONCLUSIVE"), (2, 2, "PASS"), (11, 0, "INCONCLUSIVE"), (12, 0, "FAIL")],
)
def test_label_accuracy_is_judged_on_pairs(num_lost: int, num_gained: int, verdict: Verdict) -> None:
    rows = [(LOST, num_lost), (GAINED, num_gained), (RIGHT, 300 - num_lost - num_gained)]

    check = decide(measured(rows), SETTINGS).checks[1]

    assert check.verdict == verdict
    assert check.effect == pytest.approx((num_gained - num_lost) / 300)
    assert check.low is not None
    assert check.high is not None
    assert check.low < check.effect < check.high


def test_a_broken_chat_template_fails_the_conversations_alone() -> None:
    wrong_for_both = Comparison(prompt="p", answer="a", merged="b", bundle="{", same_next_token=True)

    parity = decide(measured([(wrong_for_both, 100), (RIGHT, 200)]), SETTINGS)

    assert verdicts(parity) == {"top1_agreement": "PASS", "label_accuracy": "PASS", "conversation": "FAIL"}


def test_too_few_prompts_end_inconclusive_and_say_how_many_would_settle_it() -> None:
    parity = decide(measured([(RIGHT, 40)]), SETTINGS)

    assert parity.verdict == "INCONCLUSIVE"
    assert parity.checks[0].verdict == "INCONCLUSIVE"
    assert 40 < (parity.checks[0].num_samples_to_decide or 0) < 100


def test_nothing_measured_is_inconclusive_and_says_why() -> None:
    parity = decide(measured([], num_too_long=7, max_logit_difference=None), SETTINGS)

    assert parity.verdict == "INCONCLUSIVE"
    assert {check.num_samples for check in parity.checks} == {0}
    assert "7 were too long" in parity.checks[0].reason


def test_a_runtime_that_cannot_load_the_bundle_fails_and_is_quoted() -> None:
    silent = RIGHT.model_copy(update={"bundle": None})

    parity = decide(measured([(silent, 300)], runtime_error="Failed to create LiteRT-LM engine"), SETTINGS)

    assert verdicts(parity) == {"top1_agreement": "PASS", "label_accuracy": "FAIL", "conversation": "FAIL"}
    assert "Failed to create LiteRT-LM engine" in parity.checks[2].reason
