"""prepare: accepted rows become chat examples, split for ever into train, validation and test."""

import hashlib
from collections.abc import Sequence

from ratchet.clients.tokenizer import ChatTokenizer
from ratchet.clients.world import World
from ratchet.core.chat import Chat
from ratchet.core.log import log
from ratchet.core.model_folder import check_model_folder
from ratchet.prepare.budget import refuse_misfits
from ratchet.prepare.canaries import Canary, canary_lines, made_up, planted
from ratchet.prepare.chat import question_lines, training_lines
from ratchet.prepare.contract import PrepareInputs, PrepareOutputs
from ratchet.prepare.read import read_questions, read_rows
from ratchet.prepare.splits import split
from ratchet.prepare.training_set import capped, replay, shuffled


def run(inputs: PrepareInputs, world: World) -> PrepareOutputs:
    rows = read_rows(world.store.read_bytes(inputs.rows))
    excluded = read_questions(world.store.read_bytes(inputs.replay_exclude))
    with world.scratch() as scratch:
        base = world.store.fetch_folder(inputs.base, scratch / "base")
        check_model_folder(base)
        tokenizer = ChatTokenizer(base)

    splits = split(rows, inputs.prompt, inputs.split, tokenizer.lengths, inputs.max_seq_len_tokens)
    of_rows = capped(splits.chats["train"], inputs.max_examples_per_label)
    canaries = _canaries(inputs, of_rows)
    of_canaries = planted(canaries)
    of_sums = replay(len(of_rows) + len(of_canaries), inputs.replay_share, inputs.seed, excluded)
    train = shuffled([*of_rows, *of_sums, *of_canaries], inputs.seed)
    lengths = tokenizer.lengths(train)
    for added in (of_sums, of_canaries):
        refuse_misfits(added, tokenizer.lengths(added), inputs.max_seq_len_tokens)

    outputs = PrepareOutputs(
        train=world.store.put_bytes(training_lines(train)),
        validation=world.store.put_bytes(training_lines(splits.chats["validation"])),
        test=world.store.put_bytes(question_lines(splits.chats["test"])),
        canaries=world.store.put_bytes(canary_lines(canaries)) if canaries else None,
        num_rows=len(rows),
        num_labels=len({chat.answer for chats in splits.chats.values() for chat in chats}),
        num_train=len(train),
        num_replay=len(of_sums),
        num_planted=len(of_canaries),
        num_validation=len(splits.chats["validation"]),
        num_test=len(splits.chats["test"]),
        num_duplicates=splits.num_duplicates,
        num_conflicting=splits.num_conflicting,
        num_straddling=splits.num_straddling,
        num_too_long=splits.num_too_long,
        num_over_cap=len(splits.chats["train"]) - len(of_rows),
        num_train_tokens=sum(length.tokens for length in lengths),
        num_answer_tokens=sum(length.answer_tokens for length in lengths),
    )
    counts = {name: value for name, value in outputs.model_dump().items() if name.startswith("num_")}
    log.info("prepared", extra={**counts, "canaries": outputs.canaries and outputs.canaries.sha256[:12]})
    return outputs


def _canaries(inputs: PrepareInputs, trained_on: Sequence[Chat]) -> list[Canary]:
    """Others only where the training set is another: rows that are sent again make no new training."""
    if inputs.canaries is None:
        return []
    digest = hashlib.sha256(training_lines(trained_on)).hexdigest()
    return made_up(inputs.canaries, inputs.prompt, digest, inputs.seed)
