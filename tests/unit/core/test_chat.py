"""A recipe's prompt around a text, and the text out of it again."""

import pytest

from ratchet.core.chat import fill, without_prompt

PROMPT = "Give a label for: {text}"


@pytest.mark.parametrize("text", ["my card", "{text}", "{0} of {name}", PROMPT])
def test_a_text_that_was_filled_in_comes_out_again(text: str) -> None:
    assert without_prompt(fill(PROMPT, text), PROMPT) == text


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("Give a label for:my card \n", "my card"),
        ("my card", "my card"),
        ("Give a label for: ", "Give a label for: "),
        ("Please give a label for: my card", "Please give a label for: my card"),
        ("Give a label for: Give a label for: x", "Give a label for: x"),
    ],
)
def test_the_prompt_is_taken_off_where_an_application_sent_it(sent: str, text: str) -> None:
    assert without_prompt(sent, PROMPT) == text


@pytest.mark.parametrize(
    ("sent", "text"),
    [("Label my card, please.", "my card"), ("Label my card", "Label my card"), ("Label, please.", "Label, please.")],
)
def test_what_stands_after_the_text_goes_too(sent: str, text: str) -> None:
    assert without_prompt(sent, "Label {text}, please.") == text


def test_one_sign_is_not_both_ends_of_a_prompt() -> None:
    assert without_prompt('"', '"{text}"') == '"'
    assert without_prompt('"a"', '"{text}"') == "a"
