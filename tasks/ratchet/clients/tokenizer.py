"""How many tokens a chat has, by the base's own tokenizer and chat template."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ratchet.core.chat import Chat, Length
from ratchet.core.errors import TerminalError

_BATCH_CHATS = 1000


class BadTemplate(TerminalError, ValueError):
    """The base's chat template cannot be trained with."""

    code = "MODEL_INVALID"


class ChatTokenizer:
    """Counts as the trainer does: prompt (with the assistant's opening) and answer are encoded apart and joined."""

    def __init__(self, base: Path) -> None:
        """`base`: a model's folder; its weights are not needed."""
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns that torch is absent, as it is meant to be
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(base, local_files_only=True, trust_remote_code=False)

    def lengths(self, chats: Sequence[Chat]) -> list[Length]:
        """Raises BadTemplate when the template writes a question differently once its answer follows."""
        batches = (chats[start : start + _BATCH_CHATS] for start in range(0, len(chats), _BATCH_CHATS))
        return [length for batch in batches for length in self._batch(batch)]

    def _batch(self, chats: Sequence[Chat]) -> Iterator[Length]:
        asked = self._rendered([chat.prompt_messages() for chat in chats], opened=True)
        whole = self._rendered([chat.prompt_messages() + chat.completion_messages() for chat in chats], opened=False)
        for before, after in zip(asked, whole, strict=True):
            if not after.startswith(before):
                raise BadTemplate(
                    f"the base's chat template writes a conversation ({len(after)} characters) that does not begin "
                    f"with its prompt alone ({len(before)}): the model would be asked what it was not trained on; "
                    "mend it"
                )
        answers = [after.removeprefix(before) for before, after in zip(asked, whole, strict=True)]
        counted = zip(chats, answers, self._counted(asked), self._counted(answers), strict=True)
        for chat, answer, num_asked, num_answer in counted:
            is_written = chat.answer.strip() in answer
            yield Length(tokens=num_asked + num_answer, answer_tokens=num_answer if is_written else 0)

    def _rendered(self, conversations: list[list[dict[str, str]]], opened: bool) -> list[str]:
        return list(self._tokenizer.apply_chat_template(conversations, tokenize=False, add_generation_prompt=opened))

    def _counted(self, texts: list[str]) -> list[int]:
        return [len(ids) for ids in self._tokenizer(texts, add_special_tokens=False)["input_ids"]]
