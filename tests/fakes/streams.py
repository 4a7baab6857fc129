"""A streamed answer as endpoints send it, whole or in one of the ways in which streams go wrong."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

# "cut": the connection ends; "error": an error in the stream, under HTTP 200, as an engine that is stopped gives it;
# "garbage": a chunk that is no JSON; "unfinished": it ends well, but without a finish_reason.
Ending = Literal["stop", "cut", "error", "garbage", "unfinished"]


@dataclass
class Streams:
    """`num_pieces` chunks with text, `piece_seconds` apart; the last one is where a bad ending shows."""

    num_pieces: int = 4
    piece_seconds: float = 0.0
    tells_usage: bool = True
    ending: Ending = "stop"
    tokens_per_piece: int = 1
    # The last piece is made when this is set.
    last_waits_for: threading.Event | None = None
    # The stream ends, after its last word, when this is set.
    end_waits_for: threading.Event | None = None

    def lines(self, text: str, asked: dict[str, Any]) -> Iterator[bytes]:
        yield b": this is a comment, and an endpoint may send it\n\n"
        yield _event({"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
        for number in range(self.num_pieces):
            time.sleep(self.piece_seconds)
            is_last = number == self.num_pieces - 1
            if is_last and self.last_waits_for:
                self.last_waits_for.wait(30)
            if is_last and self.ending != "stop":
                yield from self._end_badly()
                return
            piece = text[number :: self.num_pieces] or "·"
            yield _event({"choices": [{"delta": {"content": piece}, "finish_reason": "stop" if is_last else None}]})
        if self.tells_usage:
            num_tokens = self.num_pieces * self.tokens_per_piece
            usage = _event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": num_tokens}})
            # Engines of ours tell it to the edge in a comment, where the client did not ask (serving/usage.py).
            if asked.get("stream_options", {}).get("include_usage"):
                yield usage
            else:
                comment = usage.replace(b"data:", b":", 1)
                yield from (comment[:1], comment[1:20], comment[20:-1], comment[-1:])
        yield b"data: [DONE]\n\n"
        if self.end_waits_for:
            self.end_waits_for.wait(30)

    def _end_badly(self) -> Iterator[bytes]:
        if self.ending == "error":
            yield _event({"error": {"message": "EngineCore stopped", "code": 500}})
        if self.ending == "garbage":
            yield b"data: <html>Bad Gateway</html>\n\n"
        if self.ending != "cut":
            yield b"data: [DONE]\n\n"


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()
