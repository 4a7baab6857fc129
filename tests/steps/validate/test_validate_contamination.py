"""No row may hold a question of an evaluation set, in whatever wrapping."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.steps.validate.conftest import CLEAN, ROOT, Validate, as_csv, lines

from ratchet.clients.world import World
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.files import PolicyFiles
from ratchet.validate.contract import EvaluationSet

DUCKS = "Janet sells sixteen duck eggs at the market each day. How much does she make in a week if an egg costs $2?"
QUESTIONS = [{"question": DUCKS, "answer": "224"}, {"question": "What is 12 + 7?", "answer": "19"}]
CARDS = [{"doc": {"prompt": "Where is my card?"}, "options": ["card_arrival", "lost_card"]}]


def stored(world: World, name: str, rows: Sequence[Any]) -> EvaluationSet:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return EvaluationSet(name=name, data=world.store.put_bytes(content))


@pytest.mark.parametrize(
    ("text", "label", "detail"),
    [
        (DUCKS, "math", "is row 1 of sums"),
        (DUCKS.upper().replace(" ", "  ").replace(".", " ;"), "math", "is row 1 of sums"),
        (f"### Instruction: {DUCKS}\nAnswer:", "math", "is row 1 of sums"),
        (f"Please help me with my homework today: {DUCKS} Thanks a lot", "math", "holds row 1 of sums"),
        (DUCKS.split(" if ", maxsplit=1)[0], "math", "holds row 1 of sums"),
        ("what is this text then", f"It is: {DUCKS}", "holds row 1 of sums"),
        ("what is 12+7", "math", "is row 2 of sums"),
        ("Can you tell me what is 12 + 7, please?", "math", "holds row 2 of sums"),
        ("where is my card", "card_arrival", "is row 1 of intents"),
    ],
)
def test_a_question_is_found_in_any_wrapping(
    validate: Validate, world: World, text: str, label: str, detail: str
) -> None:
    sets = (stored(world, "sums", QUESTIONS), stored(world, "intents", CARDS))

    outputs = validate(as_csv([*CLEAN, (text, label)]), evaluation_sets=sets)

    assert [(line["row"], line["reasons"], line["details"]) for line in lines(world, outputs.quarantine)] == [
        (31, ["contamination"], [detail])
    ]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("What is 12 + 8?", "20"),
        ("What is 12 - 7?", "5"),
        ("What is 1 + 27?", "19"),
        ("Is it 224 eggs or 19?", "card_arrival"),
        ("where is my card if not at home by now", "card_arrival"),  # four words say little within others
        ("How much does she make in a week if she works on Sundays too, and who pays her for that?", "pay"),
    ],
)
def test_a_question_of_the_same_form_is_no_contamination(
    validate: Validate, world: World, text: str, label: str
) -> None:
    sets = (stored(world, "sums", QUESTIONS), stored(world, "intents", CARDS))

    outputs = validate(as_csv([*CLEAN, (text, label)]), evaluation_sets=sets)

    assert outputs.num_quarantined == 0


def test_a_recipe_keeps_the_data_of_all_its_tasks_out_of_the_training(validate: Validate, world: World) -> None:
    files = PolicyFiles(ROOT)
    recipe = load_recipe("support", ROOT)
    for one in recipe.evaluation_sets:
        world.store.put_file(files.data_path(one.name))
    asked = json.loads(files.data_path("insults").read_text("utf-8").splitlines()[0])["prompt"]

    outputs = validate(as_csv([*CLEAN, (asked, "refund")]), evaluation_sets=recipe.evaluation_sets)

    assert [one.name for one in recipe.evaluation_sets] == ["arithmetic", "insults"]
    assert [line["details"] for line in lines(world, outputs.quarantine)] == [["is row 1 of insults"]]
