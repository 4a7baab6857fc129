"""Finding the text and the label in what people call them."""

import pytest

from ratchet.validate.columns import Columns, WrongColumns, find_columns


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["text", "label"], Columns("text", "label", None)),
        (["text", "category"], Columns("text", "category", None)),  # banking77
        (["question", "answer"], Columns("question", "answer", None)),
        (["id", "Utterance", "INTENT", "Quality_Score"], Columns("Utterance", "INTENT", "Quality_Score")),
        (["body", "answer", "category"], Columns("body", "category", None)),
        (["label", "prompt", "text"], Columns("text", "label", None)),
        ([" Message ", "class"], Columns(" Message ", "class", None)),
    ],
)
def test_columns_are_found_by_the_names_people_use(names: list[str], expected: Columns) -> None:
    assert find_columns(names, None, None, "up.csv") == expected


def test_a_named_column_wins_over_a_found_one() -> None:
    assert find_columns(["text", "Note", "label", "topic"], "note", "topic", "up.csv") == Columns("Note", "topic", None)


@pytest.mark.parametrize(
    ("names", "text_column", "label_column", "words"),
    [
        (["foo", "label"], None, None, ["up.csv", "no text column", "'foo', 'label'", "utterance", "--text-column"]),
        (["text", "foo"], None, None, ["no label column", "category", "--label-column"]),
        (["text", "label"], "txt", None, ["'txt'", "as named by --text-column", "'text', 'label'"]),
        (["text", "Text ", "label"], "TEXT", None, ["2 columns", "expected one text column"]),
        (["text", "label"], None, "text", ["cannot be both"]),
        ([], None, None, ["no columns"]),
        ([f"c{n}" for n in range(50)], None, None, ["'c19' and 30 more"]),
    ],
)
def test_wrong_columns_are_named_with_what_was_expected(
    names: list[str], text_column: str | None, label_column: str | None, words: list[str]
) -> None:
    with pytest.raises(WrongColumns) as caught:
        find_columns(names, text_column, label_column, "up.csv")

    assert all(word in str(caught.value) for word in words), str(caught.value)
