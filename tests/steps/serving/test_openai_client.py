"""The official `openai` client against the real edge: what works with OpenAI's API works here."""

import json
import time
from collections.abc import Iterator

import openai
import pytest
from tests.steps.serving.conftest import Serving
from tests.steps.serving.models import PROMPTS

pytestmark = pytest.mark.timeout(900)
ASKED = [{"role": "user", "content": PROMPTS[0]}]


@pytest.fixture
def client(serving: Serving) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{serving.world.router.url()}/v1", api_key="none is needed", max_retries=0) as made:
        yield made


def test_a_chat_is_answered_with_its_usage(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="support", messages=ASKED, temperature=0, max_tokens=8)

    assert answer.choices[0].message.content == "base"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_is_the_same_answer_in_chunks(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="support",
        messages=ASKED,
        temperature=0,
        max_tokens=8,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == "base"
    assert choices[-1].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens > 0


def test_a_stream_whose_client_did_not_ask_for_its_usage_has_no_chunk_for_it(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="support", messages=ASKED, temperature=0, max_tokens=8, stream=True)
    chunks = list(stream)

    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "base"


def test_the_edge_counts_the_tokens_of_every_stream(client: openai.OpenAI, serving: Serving) -> None:
    asked = {"model": "support", "messages": ASKED, "temperature": 0, "max_tokens": 8}
    whole = client.chat.completions.with_raw_response.create(**asked)
    quiet = client.chat.completions.with_raw_response.create(**asked, stream=True)
    for _ in quiet.parse():
        pass

    used = [_logged(serving, answer.headers["x-request-id"]) for answer in (whole, quiet)]

    told = whole.parse().usage
    assert used == [(told.prompt_tokens, told.completion_tokens)] * 2


def test_more_choices_than_the_engine_answers_at_a_time_are_the_clients_own_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="at most 16"):
        client.chat.completions.create(model="support", messages=ASKED, n=17)


def test_more_tokens_than_the_model_has_room_for_are_the_clients_own_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="max_tokens"):
        client.chat.completions.create(model="support", messages=ASKED, max_tokens=100_000)


def test_more_logprobs_than_the_engine_tells_are_the_clients_own_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="logprobs"):
        client.chat.completions.create(model="support", messages=ASKED, logprobs=True, top_logprobs=21)


def test_every_answer_names_its_release(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="support", messages=ASKED, max_tokens=4)

    assert (raw.headers["x-ratchet-colour"], raw.headers["x-model-release"]) == ("blue", "base")


def test_the_line_is_among_the_models(client: openai.OpenAI) -> None:
    assert "support" in [model.id for model in client.models.list()]


def test_an_unknown_model_is_the_clients_own_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="banking") as refusal:
        client.chat.completions.create(model="banking", messages=ASKED)

    assert refusal.value.status_code == 404


def test_a_prompt_that_is_too_long_is_the_clients_own_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum"):
        client.chat.completions.create(model="support", messages=[{"role": "user", "content": "parcel " * 2000}])


def _logged(serving: Serving, request_id: str) -> tuple[int, int]:
    """What the access log says of a request, once it says it."""
    deadline = time.monotonic() + 30
    while True:
        lines = (serving.settings.state / "logs" / "access.log").read_text().splitlines()
        for line in map(json.loads, lines):
            if line["request_id"] == request_id:
                return line["prompt_tokens"], line["completion_tokens"]
        assert time.monotonic() < deadline
        time.sleep(0.1)
