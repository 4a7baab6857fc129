"""A stand-in for a model: it hears what lm-eval asks, and makes up answers, the same to the same question.

Asked first by the stock task, then by the imported one, it is the proof that both ask and score alike.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.model import LM

from ratchet.core.log import progress
from ratchet.evaluate.stock.config import Unsupported
from ratchet.evaluate.stock.rows import as_text

_EVERY = 500  # documents between two words of progress
_NATS = 20.0


class StandIn(LM):  # type: ignore[misc]
    """`planned`: how many documents it will be shown. `right_answer` is what a request's document wants to hear."""

    tokenizer_name = "stand-in"

    def __init__(self, planned: int, right_answer: Callable[[Any], str]) -> None:
        super().__init__()
        self.planned, self.right_answer = planned, right_answer
        self.shown = 0
        self.heard: dict[str, Any] = {}
        self.knows_all = False

    def apply_chat_template(self, chat_history: Sequence[dict[str, str]], add_generation_prompt: bool = True) -> str:
        self.shown += 1
        if self.shown % _EVERY == 0:
            progress(step=min(self.shown, self.planned), steps=self.planned)
        return as_text(chat_history, add_generation_prompt)

    def loglikelihood(self, requests: Sequence[Any], **_: Any) -> list[tuple[float, bool]]:
        return [self._answer("loglikelihood", request, _likely) for request in requests]

    def loglikelihood_rolling(self, requests: Sequence[Any], **_: Any) -> list[float]:
        return [self._answer("rolling", request, lambda draw, _: _likely(draw, None)[0]) for request in requests]

    def generate_until(self, requests: Sequence[Any], **_: Any) -> list[str]:
        return [self._answer("generate", request, self._say) for request in requests]

    def _answer(self, kind: str, request: Any, make_up: Callable[[int, Any], Any]) -> Any:
        question = json.dumps([kind, *request.args], ensure_ascii=False, sort_keys=True)
        if question not in self.heard and self.knows_all:
            raise Unsupported(f"row {request.doc.get('id')} would be asked otherwise than lm-eval asks it: {question}")
        if question not in self.heard:
            draw = int.from_bytes(hashlib.sha256(question.encode()).digest()[:8], "big")
            self.heard[question] = make_up(draw, request)
        return self.heard[question]

    def _say(self, draw: int, request: Any) -> str:
        """Right, right in a sentence, or wrong."""
        right = self.right_answer(request)
        return (right, f"I think that the answer is {right}.", "I do not know")[draw % 3]


def _likely(draw: int, _request: Any) -> tuple[float, bool]:
    return -_NATS * (draw % 1_000_003) / 1_000_003, bool(draw % 2)
