import itertools

import pytest
from tests.unit.report import evidence

from ratchet.core.checks import Verdict
from ratchet.report.judge import decisive_checks, join_verdicts


@pytest.mark.parametrize(
    ("gate", "conversion", "stage", "blocks", "joined"),
    [
        ("PASS", "PASS", "PASS", True, "PASS"),
        ("FAIL", "PASS", "PASS", True, "FAIL"),
        ("PASS", "FAIL", "PASS", True, "FAIL"),
        ("PASS", "FAIL", "PASS", False, "PASS"),
        ("PASS", "PASS", "FAIL", False, "FAIL"),
        ("INCONCLUSIVE", "PASS", "PASS", True, "INCONCLUSIVE"),
        ("PASS", "INCONCLUSIVE", "PASS", True, "INCONCLUSIVE"),
        ("PASS", "INCONCLUSIVE", "PASS", False, "PASS"),
        ("PASS", "PASS", "INCONCLUSIVE", True, "INCONCLUSIVE"),
        ("INCONCLUSIVE", "PASS", "FAIL", True, "FAIL"),
    ],
)
def test_the_worst_part_that_blocks_is_the_verdict(
    gate: Verdict, conversion: Verdict, stage: Verdict, blocks: bool, joined: Verdict
) -> None:
    inputs = evidence.inputs(
        gate_verdict=gate, conversion_verdict=conversion, stage_verdict=stage, conversion_blocks=blocks
    )

    assert join_verdicts(inputs) == joined


def test_only_three_passes_pass() -> None:
    verdicts: tuple[Verdict, ...] = ("PASS", "FAIL", "INCONCLUSIVE")
    passed = [
        parts
        for parts in itertools.product(verdicts, repeat=3)
        if join_verdicts(evidence.inputs(gate_verdict=parts[0], conversion_verdict=parts[1], stage_verdict=parts[2]))
        == "PASS"
    ]

    assert passed == [("PASS", "PASS", "PASS")]


def test_checks_that_cannot_forbid_the_release_are_not_decisive() -> None:
    advisory = evidence.check("style", "FAIL", "too terse", blocks=False)
    gate = (*evidence.gate_checks(), advisory)

    with_conversion = decisive_checks(evidence.inputs(gate_checks=gate))
    without = decisive_checks(evidence.inputs(gate_checks=gate, conversion_blocks=False))

    assert [check.name for check in with_conversion] == [
        *("intent floor", "intent improved", "arithmetic kept"),
        *("top1_agreement", "golden_prompts"),
    ]
    assert "top1_agreement" not in [check.name for check in without]
