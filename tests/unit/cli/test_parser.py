"""What people type."""

import pytest

from ratchet.cli.parser import parser


@pytest.mark.parametrize(
    ("typed", "recipe"),
    [
        (["submit", "monday.csv", "--recipe", "refunds"], "refunds"),
        (["--recipe", "refunds", "submit", "monday.csv"], "refunds"),
        (["feedback", "show", "fb-1", "--recipe", "refunds"], "refunds"),
        (["--recipe", "refunds", "feedback", "show", "fb-1"], "refunds"),
        (["submit", "monday.csv"], None),
    ],
)
def test_the_recipe_may_be_named_before_and_after_the_verb(typed: list[str], recipe: str | None) -> None:
    assert parser().parse_args(typed).recipe == recipe
