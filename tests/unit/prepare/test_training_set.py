"""Which rows are trained on: folding, contradictions, caps, replay, limits."""

import pytest

from ratchet.core.chat import BadPrompt, Chat, Length, fill, fitting
from ratchet.core.datasets import Row
from ratchet.prepare.budget import NothingToLearn, TooLong, refuse_misfits
from ratchet.prepare.contract import SplitPolicy
from ratchet.prepare.distinct import distinct_texts
from ratchet.prepare.read import BadRows, read_questions
from ratchet.prepare.splits import split
from ratchet.prepare.training_set import capped, replay, shuffled


def rows(*labelled: tuple[str, str]) -> list[Row]:
    return [Row(id=str(number), text=text, label=label) for number, (text, label) in enumerate(labelled)]


@pytest.mark.parametrize(
    ("labels", "kept", "num_duplicates", "num_conflicting"),
    [
        (["a"], "a", 0, 0),
        (["a", "a", "a"], "a", 2, 0),
        (["b", "a", "a"], "a", 1, 1),
        (["a", "b"], None, 0, 2),
        (["a", "b", "a", "b", "c"], None, 0, 5),
    ],
)
def test_most_rows_of_a_text_decide_its_label(
    labels: list[str], kept: str | None, num_duplicates: int, num_conflicting: int
) -> None:
    (text,) = distinct_texts(rows(*((f"My  Card{' ' * n}", label) for n, label in enumerate(labels))))

    assert (text.row.label if text.row else None) == kept
    assert (text.num_duplicates, text.num_conflicting) == (num_duplicates, num_conflicting)


def test_texts_keep_the_order_of_their_first_row() -> None:
    found = distinct_texts(rows(("one", "a"), ("two", "b"), ("ONE", "c"), ("three", "a"), ("one", "c")))

    assert [text.key for text in found] == ["one", "two", "three"]
    assert found[0].row is not None
    assert found[0].row.id == "2"


def test_a_contradiction_that_comes_later_moves_no_other_text() -> None:
    labelled = [(f"text number {n * n} about {n}", "a") for n in range(60)]
    later = [(text, "b") for text, _ in labelled[::3]]

    policy = SplitPolicy(test_share=0.3, validation_share=0.3)

    before = split(rows(*labelled), "{text}", policy, lambda chats: [Length(5, 1)] * len(chats), 10)
    after = split(rows(*labelled, *later), "{text}", policy, lambda chats: [Length(5, 1)] * len(chats), 10)

    assert after.num_conflicting == 40
    for side, chats in after.chats.items():
        assert {chat.id for chat in chats} <= {chat.id for chat in before.chats[side]}


@pytest.mark.parametrize(
    ("num_chats", "share", "expected"), [(80, 0.2, 20), (100, 0.0, 0), (1, 0.5, 1), (1000, 0.18, 220)]
)
def test_the_replay_share_is_of_the_whole(num_chats: int, share: float, expected: int) -> None:
    assert len(replay(num_chats, share, seed=1, exclude=())) == expected


def test_replay_asks_no_excluded_question() -> None:
    excluded = {chat.prompt for chat in replay(400, 0.5, seed=1, exclude=())}

    assert not excluded & {chat.prompt for chat in replay(400, 0.5, seed=1, exclude=excluded)}


def test_a_cap_keeps_the_same_rows_when_data_grows() -> None:
    chats = [Chat(f"id-{n}", f"text {n}", "ab"[n % 2]) for n in range(100)]

    small, large = capped(chats[:60], 10), capped(chats, 10)

    assert [chat.answer for chat in large].count("a") == 10
    assert set(large) & set(chats[:60]) <= set(small)
    assert capped(chats, None) == chats


def test_the_order_is_the_seeds() -> None:
    chats = [Chat(str(n), "q", "a") for n in range(20)]

    assert shuffled(chats, 1) == shuffled(chats, 1) != shuffled(chats, 2)


@pytest.mark.parametrize(
    ("num_long", "refused"),
    [(2, False), (3, True)],  # of ten: exactly a fifth, and more
)
def test_more_than_a_fifth_too_long_is_refused(num_long: int, refused: bool) -> None:
    chats = [Chat(str(n), "q", "a") for n in range(10)]
    lengths = [Length(11, 2)] * num_long + [Length(10, 2)] * (10 - num_long)

    assert fitting(lengths, 10).count(False) == num_long
    if refused:
        with pytest.raises(TooLong, match=r"3 of 10 .* max_seq_len_tokens = 10 .* 99 % of them have up to 11 tokens"):
            refuse_misfits(chats, lengths, 10)
    else:
        refuse_misfits(chats, lengths, 10)


def test_an_answer_without_tokens_is_refused() -> None:
    with pytest.raises(NothingToLearn, match="row 'id-7'"):
        refuse_misfits([Chat("id-7", "q", "a")], [Length(5, 0)], 10)


@pytest.mark.parametrize("text", ["{text}", "{", "}}{{0}", "%s $text"])
def test_text_is_data(text: str) -> None:
    assert fill("Label {this}: {text}!", text) == f"Label {{this}}: {text}!"


@pytest.mark.parametrize("prompt", ["no field", "{text} {text}", "{Text}"])
def test_a_prompt_without_exactly_one_field_is_refused(prompt: str) -> None:
    with pytest.raises(BadPrompt, match="exactly once"):
        fill(prompt, "x")


@pytest.mark.parametrize("line", [b"{}", b"[]", b"{", b'"question"', b"3"])
def test_a_question_file_that_is_none_is_named_by_line(line: bytes) -> None:
    with pytest.raises(BadRows, match="line 2"):
        read_questions(b'{"question": "What is 1 + 1?", "answer": "2"}\n' + line)
