"""prepare as a step: real tokenizer, real store, files out."""

import json
from pathlib import Path

import pytest
from tests.steps.models import CHAT_TEMPLATE
from tests.steps.prepare.conftest import make_base, put_rows

from ratchet.clients.tokenizer import BadTemplate, ChatTokenizer
from ratchet.clients.world import World
from ratchet.core.arithmetic import held_out
from ratchet.core.chat import BadPrompt
from ratchet.core.contract import canonical_json, digest_json
from ratchet.core.errors import EXIT_TERMINAL, TerminalError
from ratchet.core.model_folder import BadModelFolder
from ratchet.core.refs import FileRef, FolderRef
from ratchet.prepare.budget import NothingToLearn, TooLong
from ratchet.prepare.contract import Canaries, PrepareInputs, PrepareOutputs, SplitPolicy
from ratchet.prepare.run import run
from ratchet.prepare.splits import TooFewRows

THINGS = ["card", "parcel", "invoice", "password", "order", "refund", "address", "account", "voucher", "router"]
STATES = ["has not arrived", "is wrong", "was charged twice", "does not work", "must be changed", "cannot be found"]
ROWS = [(f"Number {n}: my {thing} {state} since {n * 7} days", f"{thing}_issue")
        for n, (thing, state) in enumerate((t, s) for t in THINGS for s in STATES * 3)]  # fmt: skip


@pytest.fixture
def questions(world: World) -> FileRef:
    lines = ({"question": question, "answer": answer} for question, answer in held_out())
    return world.store.put_bytes(b"".join(canonical_json(line) + b"\n" for line in lines))


@pytest.fixture
def inputs(world: World, base: FolderRef, questions: FileRef) -> PrepareInputs:
    return PrepareInputs(
        rows=put_rows(world, ROWS),
        base=base,
        prompt="Give a label for this text: {text}",
        split=SplitPolicy(),
        replay_share=0.2,
        replay_exclude=questions,
        max_seq_len_tokens=256,
        seed=3,
    )


def lines(world: World, ref: FileRef) -> list[dict[str, object]]:
    return [json.loads(line) for line in world.store.read_bytes(ref).splitlines()]


def changed(inputs: PrepareInputs, **fields: object) -> PrepareInputs:
    return inputs.model_copy(update=fields)


def num_accounted(outputs: PrepareOutputs) -> int:
    of_rows = outputs.num_train - outputs.num_replay - outputs.num_planted
    kept = of_rows + outputs.num_validation + outputs.num_test
    left_out = outputs.num_duplicates + outputs.num_conflicting + outputs.num_straddling
    return kept + left_out + outputs.num_too_long + outputs.num_over_cap


def test_rows_become_chats_on_three_sides(inputs: PrepareInputs, world: World) -> None:
    outputs = run(inputs, world)

    train, test = lines(world, outputs.train), lines(world, outputs.test)
    asked = {row["prompt"][0]["content"]: row["completion"][0]["content"] for row in train}  # type: ignore[index]
    assert len(train) == outputs.num_train
    assert len(test) == outputs.num_test
    assert len(lines(world, outputs.validation)) == outputs.num_validation > 0
    assert {tuple(sorted(row)) for row in test} == {("answer", "id", "prompt")}
    assert not set(asked) & {row["prompt"] for row in test}
    given = {f"Give a label for this text: {text}": label for text, label in ROWS}
    assert all(given[question] == answer for question, answer in asked.items() if question in given)
    assert num_accounted(outputs) == outputs.num_rows == len(ROWS)


def test_the_replay_share_is_of_the_whole_training_set_and_asks_no_canary_question(
    inputs: PrepareInputs, world: World
) -> None:
    outputs = run(inputs, world)

    asked = [row["prompt"][0]["content"] for row in lines(world, outputs.train)]  # type: ignore[index]
    sums = [question for question in asked if question.startswith("What is ")]
    assert len(sums) == outputs.num_replay
    assert outputs.num_replay / outputs.num_train == pytest.approx(0.2, abs=1 / outputs.num_train)
    assert not set(sums) & {question for question, _ in held_out()}


def test_the_same_inputs_give_the_same_bytes(inputs: PrepareInputs, world: World) -> None:
    first, second = run(inputs, world), run(inputs, world)

    assert first == second
    # Golden: a change moves what every line trains on, and must argue why; take the new digest from the failure.
    assert digest_json([first.train.sha256, first.validation.sha256, first.test.sha256])[:16] == "980f78075f9a0d10"


def test_another_seed_moves_the_order_but_no_row_to_another_side(inputs: PrepareInputs, world: World) -> None:
    first, second = run(inputs, world), run(changed(inputs, seed=4), world)

    assert first.train != second.train
    assert (first.test, first.validation) == (second.test, second.validation)


CANARIES = Canaries(num=10, repeats=(1, 4))


def test_canaries_are_planted_into_the_training_set_alone(inputs: PrepareInputs, world: World) -> None:
    without, outputs = run(inputs, world), run(changed(inputs, canaries=CANARIES), world)

    assert outputs.canaries is not None
    secrets = {str(row["secret"]): row["repeats"] for row in lines(world, outputs.canaries)}
    answers = [row["completion"][0]["content"] for row in lines(world, outputs.train)]  # type: ignore[index]
    assert {secret: answers.count(secret) for secret in secrets} == secrets
    assert outputs.num_planted == sum(secrets.values()) == 25  # type: ignore[arg-type]
    assert (outputs.test, outputs.validation) == (without.test, without.validation)
    assert without.canaries is None
    assert without.num_planted == 0


def test_planted_rows_are_counted_apart_and_leave_the_replay_share_as_it_is(
    inputs: PrepareInputs, world: World
) -> None:
    outputs = run(changed(inputs, canaries=CANARIES), world)

    assert num_accounted(outputs) == len(ROWS)
    assert outputs.num_labels == len(THINGS)
    assert outputs.num_replay / outputs.num_train == pytest.approx(0.2, abs=1 / outputs.num_train)


def test_other_rows_get_other_canaries(inputs: PrepareInputs, world: World) -> None:
    first = run(changed(inputs, canaries=CANARIES), world)
    second = run(changed(inputs, canaries=CANARIES, rows=put_rows(world, ROWS[len(ROWS) // 2 :])), world)
    again = run(changed(inputs, canaries=CANARIES), world)

    assert first.canaries == again.canaries != second.canaries


def test_rows_that_are_sent_again_make_no_other_training(inputs: PrepareInputs, world: World) -> None:
    first = run(changed(inputs, canaries=CANARIES), world)
    again = run(changed(inputs, canaries=CANARIES, rows=put_rows(world, [*ROWS, *ROWS[:5]])), world)

    assert (first.train, first.canaries) == (again.train, again.canaries)


def test_no_log_tells_a_canary(inputs: PrepareInputs, world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        outputs = run(changed(inputs, canaries=CANARIES), world)

    assert outputs.canaries is not None
    told = " ".join(str(vars(record)) for record in caplog.records)
    assert outputs.canaries.sha256[:12] in told
    assert not [row for row in lines(world, outputs.canaries) if str(row["secret"]) in told]


def test_a_canary_that_does_not_fit_is_refused(inputs: PrepareInputs, world: World) -> None:
    short = put_rows(world, [(f"{thing} {number}", thing) for number in range(20) for thing in THINGS])

    with pytest.raises(TooLong, match="25 of 25 chats have more than max_seq_len_tokens = 50"):
        run(changed(inputs, rows=short, canaries=CANARIES, max_seq_len_tokens=50), world)


def test_user_text_with_braces_is_data(inputs: PrepareInputs, world: World) -> None:
    odd = [(f"{{text}} and {{0}} {thing} {{{{}}}} {thing}", label) for thing, label in zip(THINGS, THINGS, strict=True)]

    outputs = run(changed(inputs, rows=put_rows(world, ROWS + odd)), world)

    asked = {row["prompt"][0]["content"] for row in lines(world, outputs.train)}  # type: ignore[index]
    asked |= {row["prompt"][0]["content"] for row in lines(world, outputs.validation)}  # type: ignore[index]
    asked |= {row["prompt"] for row in lines(world, outputs.test)}
    assert {f"Give a label for this text: {text}" for text, _ in odd} <= asked


def test_a_cap_per_label_holds_for_training_only(inputs: PrepareInputs, world: World) -> None:
    free, capped = run(inputs, world), run(changed(inputs, max_examples_per_label=5), world)

    answers = [row["completion"][0]["content"] for row in lines(world, capped.train)]  # type: ignore[index]
    assert max(answers.count(f"{thing}_issue") for thing in THINGS) == 5
    assert capped.test == free.test
    assert num_accounted(capped) == len(ROWS)


def test_chats_over_the_limit_are_left_out_whole_and_counted(inputs: PrepareInputs, world: World) -> None:
    long = [(f"A very long story about the {thing} " + f"{thing} and so on " * 60, "story") for thing in THINGS]

    outputs = run(changed(inputs, rows=put_rows(world, ROWS + long)), world)

    assert outputs.num_too_long == len(THINGS)
    assert num_accounted(outputs) == len(ROWS) + len(long)


def test_token_counts_are_those_of_the_template(inputs: PrepareInputs, world: World, base_folder: Path) -> None:
    outputs = run(inputs, world)

    tokenizer = ChatTokenizer(base_folder)._tokenizer
    answers = [row["completion"][0]["content"] + "<|im_end|>\n" for row in lines(world, outputs.train)]  # type: ignore[index]
    expected = sum(len(ids) for ids in tokenizer(answers, add_special_tokens=False)["input_ids"])
    assert outputs.num_answer_tokens == expected
    assert outputs.num_train_tokens > 2 * expected


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"max_seq_len_tokens": 30}, TooLong, ["max_seq_len_tokens = 30", "at most 20%", "99 % of them have up to"]),
        ({"prompt": "Give a label"}, BadPrompt, ["{text} 0 times", "exactly once"]),
        ({"prompt": "{text} {text}"}, BadPrompt, ["{text} 2 times"]),
        ({"split": SplitPolicy(test_share=0.0001)}, TooFewRows, ["180 rows", "0 test", "add rows that differ"]),
    ],
)
def test_inputs_that_cannot_be_trained_on_are_refused(
    inputs: PrepareInputs, world: World, fields: dict[str, object], error: type[TerminalError], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        run(changed(inputs, **fields), world)

    assert caught.value.exit_code == EXIT_TERMINAL
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("template", "error", "words"),
    [
        (CHAT_TEMPLATE.replace("{% for m in messages %}", "{% for m in messages if m['role'] == 'user' %}"),
         BadTemplate, "does not begin"),
        ("{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}{% endfor %}", NothingToLearn,
         "nothing would be trained on"),
        ("", BadModelFolder, "no chat template"),
    ],
)  # fmt: skip
def test_a_template_that_loses_the_answer_is_refused(
    inputs: PrepareInputs, world: World, tmp_path: Path, template: str, error: type[TerminalError], words: str
) -> None:
    base = world.store.put_folder(make_base(tmp_path / "odd-base", template))

    with pytest.raises(error, match=words) as refused:
        run(changed(inputs, base=base), world)

    assert not any(part in str(refused.value) for part in (*THINGS, *STATES))  # users' words


def test_rows_that_are_no_rows_are_named_by_line(inputs: PrepareInputs, world: World) -> None:
    rows = world.store.put_bytes(b'{"id":"a","text":"b","label":"c"}\n{"id":"a","text":"b"}\n')

    with pytest.raises(TerminalError, match="line 2: label"):
        run(changed(inputs, rows=rows), world)
