import random
import re
from itertools import islice

import pytest

from ratchet.core.arithmetic import held_out
from ratchet.local.corpus import Chat, chats, english_paragraphs, is_prose
from ratchet.local.sample_phrases import INTENTS

PARAGRAPHS = [
    "Return the nodes of the graph that are reachable from a given source, sorted by distance.",
    "Convert every column to its best possible type. Missing values stay missing values.",
]


@pytest.fixture(scope="module")
def many() -> list[Chat]:
    return list(islice(chats(17, PARAGRAPHS), 50_000))


def test_the_same_seed_gives_the_same_chats():
    assert list(islice(chats(1, PARAGRAPHS), 50)) == list(islice(chats(1, PARAGRAPHS), 50))
    assert list(islice(chats(1, PARAGRAPHS), 50)) != list(islice(chats(2, PARAGRAPHS), 50))


def test_no_chat_knows_a_question_of_the_canary_or_an_intent_of_the_sample(many):
    assert not {chat.user for chat in many} & {question for question, _ in held_out()}
    assert not set(INTENTS) & {chat.assistant for chat in many}


def test_every_answer_is_a_number_or_a_label(many):
    for chat in many:
        assert re.fullmatch(r"\d+|[a-z]+(_[a-z]+)*", chat.assistant), chat


def test_a_repeated_label_is_repeated_exactly(many):
    repeats = [chat for chat in many if chat.user.startswith("Repeat: ")]

    assert len(repeats) > 1000
    assert all(chat.user == f"Repeat: {chat.assistant}" for chat in repeats)


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        (PARAGRAPHS[0], True),
        ("Too short to be worth it.", False),
        ("word " * 130, False),
        (">>> graph = networkx.Graph([(0, 1), (1, 2), (2, 3)]); graph.add_edge(3, 4)", False),
        ("1.0  2.0  3.0  4.0  5.0  6.0  7.0  8.0  9.0  10.0  11.0  12.0  13.0  14.0", False),
        ("Ein Absatz mit Umlauten wie in \u00fcber und sch\u00f6n ist nicht, was hier gesucht wird, also nein.", False),
    ],
)
def test_prose_is_told_from_code_and_tables(paragraph, expected):
    assert is_prose(paragraph) is expected


def test_english_comes_from_docstrings_in_a_fixed_order_without_repeats(tmp_path, monkeypatch):
    package = tmp_path / "lorem_package"
    (package / "tests").mkdir(parents=True)
    (package / "__init__.py").write_text(f'"""{PARAGRAPHS[1]}\n\n>>> 1 + 1\n2\n"""\n')
    (package / "a.py").write_text(f'def f():\n    """{PARAGRAPHS[0]}\n\n    {PARAGRAPHS[1]}\n    """\n')
    (package / "broken.py").write_text("def f(:\n")
    (package / "tests" / "test_a.py").write_text(f'"""{PARAGRAPHS[0].upper()}"""\n')
    monkeypatch.syspath_prepend(tmp_path)

    assert english_paragraphs(("lorem_package",)) == [PARAGRAPHS[1], PARAGRAPHS[0]]


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(ModuleNotFoundError, match=f"'no_such_package_{random.__name__}' is not installed"):
        english_paragraphs((f"no_such_package_{random.__name__}",))
