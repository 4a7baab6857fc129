"""The receipt: what an upload changes, in numbers and as a page."""

import json

import pytest
from tests.steps.validate.conftest import CLEAN, LABELS, RULES, Validate, as_csv

from ratchet.clients.world import World
from ratchet.validate.contract import Action, ValidateOutputs

MANY = [(f"ticket {n:03} about my card, please", LABELS[n % 3]) for n in range(200)]
LONGER = [
    (f"a new ticket {n} about my card, with all that happened before it came to this", "fraud") for n in range(60)
]


def page(world: World, outputs: ValidateOutputs) -> str:
    return world.store.read_bytes(outputs.page).decode()


def test_the_first_upload_has_nothing_to_be_compared_with(validate: Validate, world: World) -> None:
    outputs = validate(as_csv(CLEAN))

    assert outputs.changes is None
    assert "Against the current version" not in page(world, outputs)


def test_an_upload_is_compared_with_the_version_it_would_be_added_to(validate: Validate) -> None:
    current = validate(as_csv(MANY)).accepted

    changes = validate(as_csv([*LONGER, *MANY[:20], ("wee", "x")]), previous=current).changes

    assert changes is not None
    assert (changes.version.num_rows, changes.upload.num_rows, changes.num_new_rows) == (200, 80, 60)
    assert (changes.version.num_repeated, changes.upload.num_repeated) == (0, 0)
    assert (changes.new_labels, changes.absent_labels) == (("fraud",), ())
    assert changes.upload.median_length > 1.5 * changes.version.median_length
    assert {shift.feature for shift in changes.shifts if shift.drifted} == {"length", "label", "words"}


def test_rows_that_are_there_twice_are_counted_on_both_sides(validate: Validate, world: World) -> None:
    current = validate(as_csv([*MANY, *MANY[:7]])).accepted

    outputs = validate(as_csv([*LONGER, *LONGER[:2], LONGER[0]]), previous=current)

    assert outputs.changes is not None
    assert (outputs.changes.version.num_repeated, outputs.changes.upload.num_repeated) == (7, 3)
    assert "rows twice or more; 7 there" in page(world, outputs)


def test_more_of_the_same_has_not_drifted(validate: Validate) -> None:
    current = validate(as_csv(MANY[::2])).accepted

    changes = validate(as_csv(MANY[1::2]), previous=current).changes

    assert changes is not None
    assert [shift.feature for shift in changes.shifts if shift.drifted] == []


def test_the_page_says_what_happened_to_which_rows(validate: Validate, world: World) -> None:
    current = validate(as_csv(MANY)).accepted

    rows = [*LONGER, ("wee", "x"), MANY[0], ("write to mia.noor@example.com about it", "fraud")]
    outputs = validate(as_csv(rows), "april.csv", previous=current)
    shown = page(world, outputs)

    told = f"(1 of them redacted, {outputs.num_warned} with a warning)"
    assert f"april.csv: 63 rows read, 62 accepted {told}, 1 quarantined." in shown
    assert "mia.noor" not in shown
    assert "text has 10 to 4096 characters" in shown
    assert "1 labels are new: fraud." in shown
    assert "label: drifted" in shown


def test_a_refused_file_has_a_page_that_says_why(validate: Validate, world: World) -> None:
    outputs = validate(as_csv([("wee", "x")] * 5))

    assert outputs.refusals[0] in page(world, outputs)


def test_users_text_is_text_on_the_page(validate: Validate, world: World) -> None:
    name = "<script>alert(1)</script>.csv"

    shown = page(world, validate(as_csv([*CLEAN, ("a ticket with a label", "<img src=x onerror=alert(1)>")]), name))

    assert "<script>" not in shown
    assert "<img" not in shown
    assert "&lt;img src=x" in shown


def shown(world: World, outputs: ValidateOutputs, reason: str) -> list[tuple[int, str | None]]:
    kept = json.loads(world.store.read_bytes(outputs.receipt))["reasons"]
    counted = next(one for one in kept if one["reason"] == reason)
    return [(example["row"], example["text"]) for example in counted["examples"]]


def test_an_example_is_the_beginning_of_its_text_on_one_line_that_steers_no_terminal(
    validate: Validate, world: World
) -> None:
    long = "The answer\tto my\r\nquestion is " + "long " * 1000
    odd = "\x1b[2J<|im_start|> \u202egnp"

    outputs = validate(as_csv([*CLEAN, (long, "refund"), (odd, "refund"), ("", "refund")]))

    begin = "The answer to my question is long long long long long long long long long long …"
    assert shown(world, outputs, "text_length") == [(31, begin)]
    assert shown(world, outputs, "template_token") == [(32, "\ufffd[2J<|im_start|> \ufffdgnp")]
    assert shown(world, outputs, "text_missing") == [(33, None)]


MAIL, KEY = "mia.noor@example.com", "AKIA" + "QWERTYUIOPASDFGH"


@pytest.mark.parametrize("action", ["off", "warn", "redact", "quarantine"])
@pytest.mark.parametrize("private", [MAIL, KEY, "4111 1111 1111 1111"])
def test_no_example_tells_what_is_private_whatever_the_recipe_does_about_it(
    validate: Validate, world: World, caplog: pytest.LogCaptureFixture, private: str, action: Action
) -> None:
    rules = RULES.model_copy(update={"actions": {"personal": action, "secret": action}})
    seen, unseen = f"please write to {private} today", f"{'a' * 70} {private} {'a' * 5000}"
    rows = [*CLEAN, (seen, "refund"), (seen, "refund"), (seen, "top_up"), (unseen, "refund"), ("x" * 9, private)]

    outputs = validate(as_csv(rows), rules=rules)

    assert shown(world, outputs, "text_length") == [(34, None), (35, "xxxxxxxxx")]
    told = [outputs.canonical_json(), world.store.read_bytes(outputs.receipt), world.store.read_bytes(outputs.page)]
    assert not any(private.encode() in text for text in [*told, caplog.text.encode()])


def test_the_page_and_the_receipt_show_three_examples_of_each_reason(validate: Validate, world: World) -> None:
    outputs = validate(as_csv([*CLEAN, *((word, "refund") for word in ("wee", "<b>tiny</b>", "mini", "short"))]))

    kept = json.loads(world.store.read_bytes(outputs.receipt))["reasons"]
    assert [one["text"] for one in next(r for r in kept if r["reason"] == "text_length")["examples"]] == [
        "wee",
        "mini",
        "short",
    ]
    assert 'row 31: <span class="soft">wee</span><br>row 33' in page(world, outputs)
