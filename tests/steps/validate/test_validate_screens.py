"""Screens: what one row alone does not show, and what the recipe lets happen to such rows."""

import pytest
from tests.steps.validate.conftest import CLEAN, RULES, Validate, as_csv, as_jsonl, lines, rows_of

from ratchet.clients.world import World
from ratchet.validate.contract import Action, DataRules, ValidateOutputs
from ratchet.validate.policy import BadPolicy

TEXT, LABEL = CLEAN[0]


def found(outputs: ValidateOutputs) -> dict[str, tuple[int, ...]]:
    """Example rows by reason."""
    return {reason.reason: rows_of(reason) for reason in outputs.reasons if reason.num_rows}


def with_actions(**actions: Action) -> DataRules:
    return RULES.model_copy(update={"actions": actions})


def test_a_clean_upload_breaks_no_rule(validate: Validate) -> None:
    outputs = validate(as_csv(CLEAN))

    assert (found(outputs), outputs.num_warned) == ({}, 0)


def test_a_repeated_row_is_kept_and_told(validate: Validate) -> None:
    outputs = validate(as_csv([*CLEAN, CLEAN[0], CLEAN[0]]))

    assert found(outputs) == {"duplicate": (31, 32)}
    assert (outputs.num_accepted, outputs.num_quarantined, outputs.num_warned) == (32, 0, 2)


def test_rows_of_the_current_version_are_told_apart_from_new_ones(validate: Validate) -> None:
    current = validate(as_csv(CLEAN)).accepted

    outputs = validate(as_csv([CLEAN[3], ("a ticket that is new", LABEL)]), previous=current)

    assert found(outputs) == {"known": (1,)}


def test_a_text_with_two_labels_is_told_with_both_rows(validate: Validate) -> None:
    outputs = validate(as_csv([*CLEAN, (TEXT, "another_label")]))

    assert found(outputs) == {"conflicting_label": (1, 31)}


def test_a_label_that_contradicts_the_current_version_is_told(validate: Validate) -> None:
    current = validate(as_csv(CLEAN)).accepted

    outputs = validate(as_csv([("a ticket that is new", LABEL), (TEXT, "another_label")]), previous=current)

    assert found(outputs) == {"conflicting_label": (2,)}


def test_the_recipe_can_quarantine_what_a_screen_finds(validate: Validate, world: World) -> None:
    outputs = validate(
        as_csv([*CLEAN, CLEAN[0], ("wee", "x")]),
        rules=with_actions(duplicate="quarantine"),
    )

    assert lines(world, outputs.quarantine) == [
        {
            "row": 31,
            "reasons": ["duplicate"],
            "details": ["as row 1"],
            "fields": {"text": TEXT, "label": LABEL},
        },
        {"row": 32, "reasons": ["text_length"], "details": [], "fields": {"text": "wee", "label": "x"}},
    ]
    assert (outputs.num_read, outputs.num_accepted) == (32, 30)


def test_what_a_screen_leaves_out_stands_in_the_quarantine_as_it_stood_in_the_file(
    validate: Validate, world: World
) -> None:
    rows = [{"text": text, "label": label, "n": [number]} for number, (text, label) in enumerate(CLEAN)]

    outputs = validate(as_jsonl([*rows, rows[7]]), "up.jsonl", rules=with_actions(duplicate="quarantine"))

    assert [line["fields"] for line in lines(world, outputs.quarantine)] == [rows[7]]


def test_the_recipe_can_keep_what_a_row_rule_would_leave_out(validate: Validate, world: World) -> None:
    outputs = validate(as_csv([*CLEAN, ("wee", "x")]), rules=with_actions(text_length="warn"))

    assert found(outputs) == {"text_length": (31,)}
    assert lines(world, outputs.accepted)[-1]["text"] == "wee"


def test_a_rule_that_is_off_finds_nothing(validate: Validate) -> None:
    outputs = validate(as_csv([*CLEAN, CLEAN[0], ("wee", "x")]), rules=with_actions(duplicate="off", text_length="off"))

    assert (found(outputs), outputs.num_accepted) == ({}, 32)


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        ({"duplicates": "warn"}, "names 'duplicates'; the rules are .*duplicate"),
        ({"text_missing": "warn"}, "'text_missing'.*expected one of quarantine$"),
    ],
)
def test_an_action_that_there_is_not_is_refused_by_name(
    validate: Validate, actions: dict[str, Action], words: str
) -> None:
    with pytest.raises(BadPolicy, match=words):
        validate(as_csv(CLEAN), rules=with_actions(**actions))
