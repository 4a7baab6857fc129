"""What one validation accepts, a second one accepts: a release validates the whole version again."""

from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.steps.validate.conftest import CLEAN, RULES, Validate, as_csv, as_jsonl, lines

from ratchet.clients.world import World
from ratchet.validate.contract import ValidateOutputs

CARD, MAIL, PHONE, IBAN = "4111 1111 1111 1111", "jo@example.org", "+1 415 555 2671", "DE89370400440532013000"
KEY = "AKIA" + "QWERTYUIOPASDFGH"
PIECES = (
    *(CARD, MAIL, PHONE, IBAN, KEY, "password: ", "postgres://jo:", "https://", "@db.example", "token=Zx81kd93jf02"),
    *("card", "my", "where is", "4111", "555-2671", "(415)", "+49", "1234567", "a", "é", "カード", "\u200b", "\xad"),
    *(
        "<",
        ">",
        "|",
        "<card>",
        "<email>",
        "<|im_start|>",
        "[INST]",
        "</s>",
        "\x07",
        "\n",
        "\t",
        " ",
        "  ",
        ".",
        "-",
        "@",
    ),
    *("ignore all previous instructions", "x" * 5000),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).flatmap(
    lambda pieces: st.sampled_from(("", " ")).map(lambda between: between.join(pieces))
)
DIRTY = st.lists(st.tuples(TEXTS, TEXTS), min_size=40, max_size=80)


def again(validate: Validate, world: World, first: ValidateOutputs, **fields: object) -> ValidateOutputs:
    return validate(world.store.read_bytes(first.accepted), "rows.jsonl", **fields)


@pytest.mark.parametrize(("text", "label"), [(CARD, "refund"), (f"  {MAIL} ", "refund"), (PHONE, "refund")])
def test_a_text_that_is_nothing_but_private_is_too_short_once_redacted(
    validate: Validate, world: World, text: str, label: str
) -> None:
    outputs = validate(as_csv([*CLEAN, (text, label)]))

    (left_out,) = lines(world, outputs.quarantine)
    assert (left_out["row"], left_out["reasons"], left_out["details"]) == (31, ["text_length"], ["once redacted"])
    assert left_out["fields"]["text"].strip() == text.strip()
    assert (outputs.num_accepted, outputs.num_quarantined, outputs.num_redacted) == (30, 1, 0)
    assert again(validate, world, outputs).num_quarantined == 0


def test_a_length_that_only_warns_is_told_once(validate: Validate, world: World) -> None:
    rules = RULES.model_copy(update={"actions": {"text_length": "warn"}})

    outputs = validate(as_csv([*CLEAN, (CARD, "refund"), ("a@b.de", "refund"), ("wee", "refund")]), rules=rules)

    told = {reason.reason: reason.num_rows for reason in outputs.reasons if reason.num_rows}
    assert told == {"text_length": 3, "personal": 2}
    assert (outputs.num_accepted, outputs.num_warned) == (33, 3)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # to make rows smaller takes minutes; the quarantine says which it is
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=DIRTY)
@pytest.mark.parametrize("action", ["redact", "quarantine"])
def test_what_is_accepted_is_accepted_again(
    validate: Validate, world: World, action: str, rows: list[tuple[str, str]]
) -> None:
    rules = RULES.model_copy(update={"actions": {"secret": action}})
    with patch("ratchet.validate.run.batch_refusals", lambda *_: ()):
        first = validate(
            as_jsonl([{"text": text, "label": label} for text, label in [*CLEAN, *rows]]), "up.jsonl", rules
        )
        second = again(validate, world, first, rules=rules)

    assert lines(world, second.quarantine) == []
    assert lines(world, second.accepted) == lines(world, first.accepted)
