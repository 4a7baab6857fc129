"""Rows that a person has looked at may be a handful; each is still looked at as any other."""

from tests.steps.validate.conftest import RULES, Validate, as_jsonl, lines

from ratchet.clients.world import World
from ratchet.recipes.reviewed import reviewed

GOOD = {"text": "Where is the card that you sent", "label": "card_arrival", "feedback": "fb-1"}
SECRET = {"text": "my key is AKIAIOSFODNN7REALKEY what now", "label": "refund", "feedback": "fb-2"}
MARKED = {"text": "[email] asks for the money back", "label": "refund", "feedback": "fb-3"}
STRICT = RULES.model_copy(update={"min_rows": 200})


def test_a_single_reviewed_row_is_enough_where_a_file_needs_many(validate: Validate) -> None:
    content = as_jsonl([GOOD])

    assert validate(content, "feedback.jsonl", STRICT).status == "REFUSED"
    checked = validate(content, "feedback.jsonl", reviewed(STRICT))
    assert (checked.status, checked.num_accepted) == ("ACCEPTED", 1)


def test_a_secret_in_a_reviewed_row_is_left_out_and_named(world: World, validate: Validate) -> None:
    checked = validate(as_jsonl([GOOD, SECRET, MARKED]), "feedback.jsonl", reviewed(STRICT))

    assert (checked.status, checked.num_accepted, checked.num_quarantined) == ("ACCEPTED", 2, 1)
    (left_out,) = lines(world, checked.quarantine)
    assert left_out["fields"]["feedback"] == "fb-2"


def test_of_reviewed_rows_that_are_all_unfit_none_makes_a_version(validate: Validate) -> None:
    checked = validate(as_jsonl([SECRET]), "feedback.jsonl", reviewed(STRICT))

    assert (checked.status, checked.refusals) == ("REFUSED", ("0 usable rows: each breaks a rule (docs/data.md)",))
