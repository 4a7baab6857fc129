"""What the page says of the differences to production, for whatever is on record of it."""

from typing import Any

import pytest
from tests.unit.report import evidence

from ratchet.core.contract import digest_json
from ratchet.report.changes import Change, changes
from ratchet.report.contract import Code, Origin, StepCode
from ratchet.report.fields import FieldChange, field_changes

ROWS = evidence.split_rows()
CANDIDATE = evidence.eval_report(ROWS, 0.7, seed=1, model="c")
BASELINE = evidence.eval_report(ROWS, 0.05, seed=2, model="b")


def changes_since(before: Origin | None, **fields: Any) -> dict[str, Change]:
    return {change.what: change for change in changes(evidence.inputs(**fields), before, CANDIDATE, BASELINE)}


def code(version: str = "0.1.0", **finetune: Any) -> Code:
    steps = evidence.origin().code.steps
    return Code(version=version, steps={**steps, "finetune": steps["finetune"].model_copy(update=finetune)})


def test_what_is_as_it_was_is_said_to_be_the_same() -> None:
    found = changes_since(evidence.origin())

    assert [(change.what, change.changed) for change in found.values()] == [
        ("Data", True),
        ("Recipe", False),
        ("Code", False),
        ("Base model", False),
        ("Chat template", False),
    ]
    assert found["Data"].said == "310 of 4,812 rows are new (6%)"
    assert found["Code"].said == "the same: version 0.1.0, finetune and prepare and their packages"


def test_a_changed_recipe_names_its_fields_with_both_values() -> None:
    recipe = {**evidence.RECIPE, "method": {"learning_rate": 0.0002, "r": 32}}

    change = changes_since(evidence.origin(recipe=recipe), baseline_recipe_sha256=digest_json(recipe))["Recipe"]

    assert (change.changed, change.said) == (True, "changed since production was tuned, 1 field")
    assert change.fields == (FieldChange("method.learning_rate", "0.0002", "0.0001"),)


def test_of_many_changed_fields_ten_are_shown_and_the_rest_counted() -> None:
    recipe = {f"field_{number:02}": number for number in range(13)}

    change = changes_since(evidence.origin(recipe=recipe), baseline_recipe_sha256=digest_json(recipe))["Recipe"]

    assert len(change.fields) == 10
    assert change.num_more_fields == 13 + 6 - 10  # all of both recipes, which share no field


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (code(revision=2), "finetune revision 1 → 2"),
        (code(lock_sha256="2" * 64), "packages of finetune changed"),
        (code("0.2.0", revision=2), "version 0.1.0 → 0.2.0; finetune revision 1 → 2"),
        (code("0.2.0"), "version 0.1.0 → 0.2.0; but finetune and prepare and their packages are the same"),
        (
            Code(version="0.1.0", steps={**code().steps, "merge": StepCode(revision=1, lock_sha256="1" * 64)}),
            "merge is new",
        ),
    ],
)
def test_code_and_packages_that_made_the_model_are_compared_step_by_step(now: Code, said: str) -> None:
    change = changes_since(evidence.origin(), origin=evidence.origin(code=now))["Code"]

    assert (change.changed, change.said) == (True, said)


def test_another_base_is_named_by_both_digests() -> None:
    change = changes_since(evidence.origin(base=evidence.folder("9")))["Base model"]

    assert (change.changed, change.said) == (True, "999999999999 → aaaaaaaaaaaa")


def test_a_production_from_before_this_was_kept_is_said_to_be_not_on_record() -> None:
    found = changes_since(None, baseline_recipe_sha256="f" * 64)

    assert [found[what].changed for what in ("Recipe", "Code", "Base model")] == [True, None, None]
    assert all("not on record" in found[what].said for what in ("Recipe", "Code", "Base model"))
    assert changes_since(None)["Recipe"].said == "the same as production's"  # its digest was always kept


@pytest.mark.parametrize(("base", "said"), [("b", "this base, untuned"), ("a", "another base, untuned")])
def test_the_untuned_base_was_made_by_nothing(base: str, said: str) -> None:
    origin = evidence.origin(base=evidence.folder(base))

    found = changes_since(None, baseline_recipe_sha256="", origin=origin)

    assert found["Recipe"].said == "production is the untuned base, which no recipe made"
    assert found["Code"].said == "version 0.1.0; production is the untuned base, which no step made"
    assert found["Base model"].said == f"production is {said}"


def test_a_changed_template_and_rows_left_out_are_said() -> None:
    task = CANDIDATE.tasks[0].model_copy(update={"num_overlapping": 106, "num_near_duplicates": 68})
    other = CANDIDATE.model_copy(update={"chat_template_sha256": "9" * 64, "tasks": (task,)})

    found = changes(evidence.inputs(), evidence.origin(), other, BASELINE)

    assert found[-2].said == "changed with the model; scores are compared all the same"
    assert found[-1].what == "Left out of intent"
    assert found[-1].said == (
        "106 rows that the training holds word for word, and 68 that it asks in almost the same words"
    )


FILE = {"uri": "store://blobs/11/1", "sha256": "1" * 64, "bytes": 9}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, [("a.b.c", "1", "2")]),
        ({"a": 1}, {"a": 1.0}, [("a", "1", "1.0")]),  # the recipe's digest tells them apart, too
        ({"a": 1}, {"b": None}, [("a", "1", "(none)"), ("b", "(none)", "null")]),
        ({"by": ["mia"]}, {"by": ["mia", "noor"]}, [("by", '["mia"]', '["mia","noor"]')]),
        ({"file": FILE}, {"file": {**FILE, "sha256": "2" * 64}}, [("file", "file 111111111111", "file 222222222222")]),
        (
            {"checks": [{"name": "x", "margin": 0.1}, {"name": "y", "margin": 0.2}]},
            {"checks": [{"name": "new", "margin": 0.3}, {"name": "y", "margin": 0.2}, {"name": "x", "margin": 0.4}]},
            [("checks.new.margin", "(none)", "0.3"), ("checks.x.margin", "0.1", "0.4")],
        ),
        ({"steps": [{"n": 1}]}, {"steps": [{"n": 2}]}, [("steps", '[{"n":1}]', '[{"n":2}]')]),
        ({"a": {}, "b": 2}, {"b": 2, "a": {}}, []),
    ],
)
def test_fields_are_named_by_dots_and_sorted(
    before: dict[str, Any], now: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    assert list(field_changes(before, now)) == [FieldChange(*change) for change in expected]


def test_long_texts_are_told_apart_by_their_digests() -> None:
    (change,) = field_changes({"yaml": "a\n" * 100}, {"yaml": "b\n" * 100})

    assert change.before != change.now
    assert max(map(len, (change.before, change.now))) < 40
