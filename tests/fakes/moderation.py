"""A classifier of harmful texts behind OpenAI's moderation API: a word list, on loopback."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes.web import Answering, listening

INSULTS = ("idiot", "moron")

Reply = Callable[[list[str]], tuple[int, Any]]


def wordlist(texts: list[str]) -> tuple[int, Any]:
    """A tiny classifier: a text with an insult is harassment."""
    harms = [any(word in text.lower() for word in INSULTS) for text in texts]
    return 200, {"results": [{"flagged": harm, "categories": {"harassment": harm, "hate": False}} for harm in harms]}


@contextmanager
def moderation(reply: Reply) -> Iterator[tuple[str, list[Any]]]:
    """OpenAI's moderation API on loopback; its address, and the headers and bodies that it was sent."""
    asked: list[Any] = []

    class Handler(Answering):
        def do_POST(self) -> None:
            body = json.loads(self.body())
            asked.append((self.path, self.headers["Authorization"], body))
            status, answer = reply(body["input"])
            self.answer(status, json.dumps(answer).encode(), {"Location": "http://127.0.0.1:9/v1/moderations"})

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}/v1", asked
