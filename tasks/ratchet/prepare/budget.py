"""When too few chats fit the training length, or one has no answer to learn."""

from collections.abc import Sequence

from ratchet.core.chat import Chat, Length, fitting
from ratchet.core.errors import TerminalError

MAX_DROPPED_SHARE = 0.2


class TooLong(TerminalError, ValueError):
    """Too much of the data would be cut away by the training length."""

    code = "DATA_UNUSABLE"


class NothingToLearn(TerminalError, ValueError):
    """The loss would be on no token: training would end with a loss of 0 and an unchanged model."""

    code = "DATA_UNUSABLE"


def refuse_misfits(chats: Sequence[Chat], lengths: Sequence[Length], max_tokens: int) -> None:
    """Raises TooLong where more than a fifth would be left out, NothingToLearn where an answer has no tokens."""
    for number, (chat, length) in enumerate(zip(chats, lengths, strict=True), start=1):
        if length.answer_tokens < 1:
            raise NothingToLearn(
                f"row {chat.id or number!r}: its answer is not in the chat as the base's template writes it, "
                "so nothing would be trained on: does the template print the assistant's turn?"
            )
    num_dropped = fitting(lengths, max_tokens).count(False)
    if num_dropped > MAX_DROPPED_SHARE * len(lengths):
        needed = _percentile([length.tokens for length in lengths], 99)
        raise TooLong(
            f"{num_dropped} of {len(lengths)} chats have more than max_seq_len_tokens = {max_tokens} tokens, and at "
            f"most {MAX_DROPPED_SHARE:.0%} may be left out: 99 % of them have up to {needed} tokens; "
            f"set max_seq_len_tokens to {needed}, or shorten the prompt or the texts"
        )


def _percentile(values: list[int], percent: int) -> int:
    """The smallest value that at least `percent` of them do not exceed."""
    return sorted(values)[-(-len(values) * percent // 100) - 1]
