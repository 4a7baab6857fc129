"""One streamed answer, whole or in one of the ways in which streams go wrong."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.openai import Served, answering
from tests.fakes.streams import Streams

from ratchet.clients.openai import EngineAway, RequestRefused
from ratchet.clients.streaming import Endpoint, read_stream, stream_chat, user_says

HELLO = user_says("hello")


@contextmanager
def serving(streams: Streams | None = None, **fields: Any) -> Iterator[Endpoint]:
    engine = Served(models={"support"}, streams=streams or Streams(), **fields)
    with answering(lambda: engine) as url:
        yield Endpoint(f"{url}/v1", "support", max_tokens=16)


def test_each_part_of_an_answer_is_timed() -> None:
    with serving(Streams(num_pieces=5, piece_seconds=0.03), delay_seconds=0.1) as endpoint:
        timing = stream_chat(endpoint, HELLO)

    assert 130 <= timing.ttft_ms < 500
    assert len(timing.gaps_ms) == 4
    assert all(20 <= gap < 300 for gap in timing.gaps_ms)
    assert timing.answer_ms >= 250
    assert timing.inter_token_ms == pytest.approx(sum(timing.gaps_ms) / 4)


def test_waiting_before_it_is_sent_counts_as_waiting() -> None:
    with serving() as endpoint:
        timing = stream_chat(endpoint, HELLO, due_at=time.perf_counter() - 1.0)

    assert 1000 <= timing.ttft_ms < 2000


def test_tokens_are_those_of_the_streams_usage() -> None:
    with serving(Streams(num_pieces=4, tokens_per_piece=3)) as endpoint:
        timing = stream_chat(endpoint, HELLO)

    assert (timing.num_tokens, timing.counted_by) == (12, "usage")


@pytest.mark.parametrize(("asks", "tells"), [(False, True), (True, False)])
def test_without_a_usage_chunks_are_counted_and_it_says_so(asks: bool, tells: bool) -> None:
    with serving(Streams(num_pieces=4, tokens_per_piece=3, tells_usage=tells)) as endpoint:
        timing = stream_chat(replace(endpoint, with_usage=asks), HELLO)

    assert (timing.num_tokens, timing.counted_by) == (4, "chunks")


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        ("cut", "does not answer: RemoteProtocolError"),
        ("error", "ends the stream with an error: EngineCore stopped"),
        ("garbage", "expected chunks of a chat in the stream, got '<html>Bad Gateway</html>'"),
        ("unfinished", "the stream ends after 3 chunks without a finish_reason"),
    ],
)
def test_a_stream_that_goes_wrong_is_no_answer(ending: Any, message: str) -> None:
    with serving(Streams(ending=ending)) as endpoint, pytest.raises(EngineAway, match=message):
        stream_chat(endpoint, HELLO)


@pytest.mark.parametrize("event", ["3", "[]", "null", '{"choices": [7]}', '{"choices": [{"delta": "x"}]}'])
def test_json_that_is_no_chunk_is_no_answer(event: str) -> None:
    with pytest.raises(EngineAway, match="expected chunks of a chat"):
        read_stream("http://engine", [f"data: {event}"], due_at=0.0)


@pytest.mark.parametrize(("status", "error"), [(500, EngineAway), (503, EngineAway), (400, RequestRefused)])
def test_a_status_says_whether_a_retry_may_help(status: int, error: type[Exception]) -> None:
    with serving(status=status) as endpoint, pytest.raises(error, match=rf"{status}: .*the engine is broken"):
        stream_chat(endpoint, HELLO)


def test_a_key_is_sent_and_not_shown() -> None:
    with serving(key="secret") as endpoint:
        with pytest.raises(RequestRefused, match="401"):
            stream_chat(endpoint, HELLO)
        known = replace(endpoint, key="secret")

        assert stream_chat(known, HELLO).num_tokens == 4
        assert "secret" not in repr(known)


def test_nobody_at_home_may_be_there_later() -> None:
    with pytest.raises(EngineAway, match="does not answer: ConnectError"):
        stream_chat(Endpoint("http://127.0.0.1:9/v1", "support", 16), HELLO)


def test_an_endpoint_that_falls_silent_counts_as_away() -> None:
    with serving(Streams(piece_seconds=0.5)) as endpoint, pytest.raises(EngineAway, match="ReadTimeout"):
        stream_chat(replace(endpoint, timeout_seconds=0.1), HELLO)


def test_thinking_counts_as_the_beginning_of_an_answer() -> None:
    lines = [
        'data: {"choices": [{"delta": {"reasoning_content": "hm"}, "finish_reason": null}]}',
        'data:{"choices": [{"delta": {}, "finish_reason": "length"}]}',
    ]

    assert read_stream("http://engine", lines, due_at=0.0).num_tokens == 1


def test_an_answer_without_any_text_begins_where_it_ends() -> None:
    """A model may say nothing but that it is done."""
    lines = [
        'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}',
        'data: {"choices": [], "usage": {"completion_tokens": 1}}',
        "data: [DONE]",
    ]

    timing = read_stream("http://engine", lines, due_at=0.0)

    assert timing.first_at == timing.ended_at
    assert timing.num_tokens == 1
