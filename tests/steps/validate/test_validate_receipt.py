"""The receipt: what an upload changes, in numbers and as a page."""

from tests.steps.validate.conftest import CLEAN, LABELS, Validate, as_csv

from ratchet.clients.world import World
from ratchet.validate.contract import ValidateOutputs

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
    assert (changes.new_labels, changes.absent_labels) == (("fraud",), ())
    assert changes.upload.median_length > 1.5 * changes.version.median_length
    assert {shift.feature for shift in changes.shifts if shift.drifted} == {"length", "label", "words"}


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
