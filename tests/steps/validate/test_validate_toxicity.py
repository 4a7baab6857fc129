"""A recipe's own classifier is asked about every row; one that is away stops the upload, it never lets rows pass."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.fakes.moderation import moderation, wordlist
from tests.steps.validate.conftest import CLEAN, QUICK, Validate, as_csv, lines, rows_of

from ratchet.clients.key_file import BadKey
from ratchet.clients.moderation import ModeratorAway, NoModerator
from ratchet.clients.world import World
from ratchet.core.classifier import Classifier
from ratchet.core.errors import EXIT_TERMINAL, EXIT_TRANSIENT
from ratchet.validate.contract import Action, DataRules, ReasonCount, ValidateOutputs

KEY = "k" * 24
ROWS = [*CLEAN, ("You absolute idiot, where is my card", "lost_card"), ("What do you call me then", "moron")]


def asking(url: str, **actions: Action) -> DataRules:
    return QUICK.model_copy(update={"toxicity": Classifier(url=url, model="wordlist-1"), "actions": actions})


def toxicity(outputs: ValidateOutputs) -> ReasonCount:
    return next(reason for reason in outputs.reasons if reason.reason == "toxicity")


def test_what_the_classifier_calls_harmful_is_told_and_kept(validate: Validate, world: World) -> None:
    world.settings.secrets.mkdir(parents=True)
    (world.settings.secrets / "toxicity_key").write_text(f"{KEY}\n")

    with moderation(wordlist) as (url, asked):
        outputs = validate(as_csv(ROWS), rules=asking(url))

    assert (rows_of(toxicity(outputs)), outputs.num_accepted) == ((31, 32), 32)
    assert {(path, key, body["model"]) for path, key, body in asked} == {
        ("/v1/moderations", f"Bearer {KEY}", "wordlist-1")
    }
    assert [text for _, _, body in asked for text in body["input"]] == [f"{text}\n{label}" for text, label in ROWS]
    assert KEY not in outputs.model_dump_json()


def test_a_recipe_can_quarantine_them_and_the_quarantine_says_what_the_harm_is(
    validate: Validate, world: World
) -> None:
    with moderation(wordlist) as (url, _):
        outputs = validate(as_csv(ROWS), rules=asking(url, toxicity="quarantine"))

    assert [(line["row"], line["details"]) for line in lines(world, outputs.quarantine)] == [
        (31, ["harassment"]),
        (32, ["harassment"]),
    ]


def test_the_classifier_sees_no_private_thing_that_the_recipe_hides(validate: Validate) -> None:
    with moderation(wordlist) as (url, asked):
        validate(as_csv([*CLEAN, ("please write to mia.noor@example.com", "refund")]), rules=asking(url))

    assert "mia.noor" not in json.dumps(asked)


@pytest.mark.parametrize(
    ("status", "answer", "error", "exit_code"),
    [
        (503, {}, ModeratorAway, EXIT_TRANSIENT),
        (429, {}, ModeratorAway, EXIT_TRANSIENT),
        (401, {"error": "who is my card"}, NoModerator, EXIT_TERMINAL),
        (307, {}, NoModerator, EXIT_TERMINAL),
        (200, {"results": []}, NoModerator, EXIT_TERMINAL),
        (200, {"results": [{"flagged": "no"}]}, NoModerator, EXIT_TERMINAL),
        (200, ["ok"], NoModerator, EXIT_TERMINAL),
    ],
)
def test_a_classifier_that_does_not_judge_lets_nothing_pass(
    validate: Validate, world: World, status: int, answer: Any, error: type[Exception], exit_code: int
) -> None:
    before = set(world.store.keys(""))

    with (
        moderation(lambda _: (status, answer)) as (url, asked),
        pytest.raises(error, match=f"the classifier {url}/moderations answers") as caught,
    ):
        validate(as_csv(ROWS[:1]), rules=asking(url))

    assert (caught.value.exit_code, len(asked)) == (exit_code, 1)
    assert "my card" not in str(caught.value)
    assert len(set(world.store.keys("")) - before) == 1  # the upload


def test_a_classifier_that_is_away_is_asked_again_later(validate: Validate) -> None:
    with moderation(wordlist) as (url, _):
        pass

    with pytest.raises(ModeratorAway, match=r"does not answer \(ConnectError\)") as caught:
        validate(as_csv(ROWS), rules=asking(url))

    assert caught.value.exit_code == EXIT_TRANSIENT


def test_a_key_that_is_none_is_not_shown(validate: Validate, world: World) -> None:
    world.settings.secrets.mkdir(parents=True)
    (world.settings.secrets / "toxicity_key").write_text("two words")

    with moderation(wordlist) as (url, asked), pytest.raises(BadKey) as caught:
        validate(as_csv(ROWS), rules=asking(url))

    assert ("two words" in str(caught.value), asked) == (False, [])


def test_nobody_is_asked_when_the_rule_is_off_or_no_classifier_is_named(validate: Validate) -> None:
    with moderation(wordlist) as (url, asked):
        validate(as_csv(ROWS), rules=asking(url, toxicity="off"))
    outputs = validate(as_csv(ROWS), rules=QUICK)

    assert (asked, toxicity(outputs).num_rows) == ([], 0)


@pytest.mark.parametrize("url", ["ftp://host/v1", "http://host", "http://user:pass@host/v1", "http://ho st/v1"])
def test_only_an_address_of_such_an_api_can_be_named(url: str) -> None:
    with pytest.raises(ValidationError):
        Classifier(url=url, model="m")
