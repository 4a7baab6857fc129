"""The real edge as a door: who is let in, how much each may ask, what each refusal says, and what is written down."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from tests.fakes.events import sha
from tests.fakes.openai import Served
from tests.fakes.streams import Streams
from tests.steps.serving.conftest import free_ports
from tests.steps.serving.edge_place import CHAT, Place, edge_before, eventually

from ratchet.clients.edge_keys import FILE, OWN, own_key, remove_key
from ratchet.core.rollout import first_state
from ratchet.local.edge import write_own_keys

pytestmark = pytest.mark.timeout(120)

ON_A = first_state("blue", "a", sha("a"), seq=0)
HELLO = [{"role": "user", "content": "the prompt is nobody's business"}]
LIMITS = "requests_per_minute = 6\ntokens_per_day = 40\nmax_request_bytes = 2000"


@pytest.fixture(scope="module")
def running() -> Iterator[Place]:
    with edge_before({"blue": Served(), "green": Served()}, LIMITS) as place:
        place.go(ON_A)
        yield place


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    """Open, before an engine that nobody asked yet."""
    running.engines["blue"] = Served(models={"support"}, headers={"x-ratchet-colour": "blue", "x-model-release": "a"})
    yield running
    running.let_everybody_in()


def give_key(place: Place, name: str) -> str:
    key = place.give_key(name)
    place.engines["blue"].num_asked = 0
    return key


def ask(place: Place, key: str = "", stream: bool = False, **more: Any) -> httpx.Response:
    return place.post(CHAT, {"model": "support", "messages": HELLO, "stream": stream, **more}, key)


def official(place: Place, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{place.router.url()}/v1", api_key=key, max_retries=0)


# keys


def test_without_a_file_of_keys_everybody_is_let_in_and_no_engine_sees_what_they_send(place: Place) -> None:
    answers = [ask(place, "a habit of official clients") for _ in range(10)]

    assert {answer.status_code for answer in answers} == {200}  # and nobody is counted
    assert "authorization" not in place.engines["blue"].heard


def test_a_key_lets_in_and_its_name_goes_on_without_it(place: Place) -> None:
    key = give_key(place, "ann")

    assert ask(place, key).status_code == 200
    assert place.engines["blue"].heard["x-ratchet-key"] == "ann"
    assert key not in str(place.engines["blue"].heard)


def test_no_key_and_a_wrong_key_are_refused_in_the_official_clients_words(place: Place) -> None:
    give_key(place, "bob")

    assert ask(place).status_code == 401
    with official(place, "rk-guessed") as client, pytest.raises(openai.AuthenticationError, match="ratchet keys add"):
        client.models.list()
    assert place.engines["blue"].num_asked == 0


def test_a_name_cannot_be_claimed_from_outside(place: Place) -> None:
    key = give_key(place, "cleo")
    headers = {"Authorization": f"Bearer {key}", "x-ratchet-key": OWN}
    body = {"model": "support", "messages": HELLO}

    httpx.post(f"{place.router.url()}/v1/chat/completions", json=body, headers=headers)

    assert place.engines["blue"].heard["x-ratchet-key"] == "cleo"


def test_a_key_that_is_taken_back_is_refused_without_a_restart(place: Place) -> None:
    key, other = give_key(place, "dan"), give_key(place, "eve")

    last = threading.Event()
    place.engines["blue"].streams = Streams(last_waits_for=last)
    with official(place, key) as client:
        stream = client.chat.completions.create(model="support", messages=HELLO, stream=True)
        next(stream)

        remove_key(place.settings, "dan")
        write_own_keys(place.settings)
        eventually(lambda: ask(place, key).status_code == 401)
        last.set()

        assert list(stream)[-1].choices[0].finish_reason == "stop"  # what was under way is ended as it should be
    assert ask(place, other).status_code == 200


def test_what_the_edge_is_asked_for_by_ratchet_itself_needs_no_key(place: Place) -> None:
    give_key(place, "fay")

    assert httpx.get(f"{place.router.url()}/health").json() == {"active": "blue", "release": "a"}
    place.go(ON_A)


def test_no_page_and_no_file_that_others_can_read_shows_a_key(place: Place) -> None:
    key = give_key(place, "gus")
    ask(place, key)

    pages = ("config_dump?include_eds", "stats", "listeners", "clusters", "runtime")
    told = [httpx.get(f"http://127.0.0.1:{place.settings.ports.edge_admin}/{page}").text for page in pages]
    assert not any(key in page for page in told)
    folder = place.settings.root
    holding = [path for path in folder.rglob("*") if path.is_file() and key in path.read_text("utf-8", "replace")]
    assert {path.name for path in holding} == {"keys.json", FILE}
    assert {oct(path.stat().st_mode & 0o777) for path in holding} == {"0o600"}


# limits


def test_a_key_that_asks_too_often_waits_and_no_other_does(place: Place) -> None:
    busy, calm = give_key(place, "hal"), give_key(place, "ida")

    with official(place, busy) as client:
        answers = [client.models.with_raw_response.list().status_code for _ in range(6)]
        with pytest.raises(openai.RateLimitError, match="6 requests per minute") as refusal:
            client.models.list()

    assert answers == [200] * 6
    assert 0 < int(refusal.value.response.headers["retry-after"]) <= 60
    assert ask(place, calm).status_code == 200


def test_ratchets_own_probes_are_never_refused(place: Place) -> None:
    give_key(place, "jon")

    assert {ask(place, own_key(place.settings)).status_code for _ in range(20)} == {200}


@pytest.mark.parametrize(
    ("name", "stream", "more"),
    [
        ("kim", False, {}),
        ("lea", True, {}),
        ("max", True, {"stream_options": {"include_usage": True}}),
    ],
)
def test_the_tokens_of_a_day_are_spent_by_what_answers_used(
    place: Place, name: str, stream: bool, more: dict[str, Any]
) -> None:
    key = give_key(place, name)
    place.engines["blue"].streams = Streams(num_pieces=3)  # with the prompt's 5, 8 a time: 5 times are 40

    answers = [ask(place, key, stream, **more).status_code for _ in range(5)]
    with official(place, key) as client, pytest.raises(openai.RateLimitError, match="40 tokens per day") as refusal:
        client.chat.completions.create(model="support", messages=HELLO)

    assert answers == [200] * 5
    assert name in refusal.value.message
    assert 0 < int(refusal.value.response.headers["retry-after"]) <= 86400
    assert place.engines["blue"].num_asked == 5


def test_a_stream_that_its_client_breaks_off_has_cost_what_it_brought(place: Place) -> None:
    key = give_key(place, "ned")
    last = threading.Event()
    place.engines["blue"].streams = Streams(num_pieces=60, last_waits_for=last)
    body = {"model": "support", "messages": HELLO, "stream": True}
    headers = {"Authorization": f"Bearer {key}"}

    with httpx.stream("POST", f"{place.router.url()}/v1/chat/completions", json=body, headers=headers) as stream:
        lines = stream.iter_lines()
        for _ in range(100):  # of 60 pieces, each with an empty line
            next(lines)

    last.set()
    assert ask(place, key).status_code == 429


def test_a_stream_that_its_client_leaves_at_its_last_word_is_counted_whole(place: Place) -> None:
    """As official clients do, who do not wait for the stream's end."""
    key, end = give_key(place, "oda"), threading.Event()
    place.engines["blue"].streams = Streams(num_pieces=3, end_waits_for=end)  # 8 tokens, of 40
    body = {"model": "support", "messages": HELLO, "stream": True}

    for number in range(5):
        headers = {"Authorization": f"Bearer {key}", "x-request-id": f"left-{number}"}
        with httpx.stream("POST", f"{place.router.url()}/v1/chat/completions", json=body, headers=headers) as stream:
            assert "data: [DONE]" in stream.iter_lines()

    end.set()
    assert ask(place, key).status_code == 429
    log = place.settings.root / "access.log"
    eventually(lambda: "left-4" in log.read_text())
    told = [line for line in map(json.loads, log.read_text().splitlines()) if line["request_id"].startswith("left-")]
    assert [(line["prompt_tokens"], line["completion_tokens"]) for line in told] == [(5, 3)] * 5


def test_a_request_that_is_too_large_is_refused_before_any_engine(place: Place) -> None:
    with official(place, "none") as client, pytest.raises(openai.APIStatusError, match="larger than 2000 bytes") as no:
        client.chat.completions.create(model="support", messages=[{"role": "user", "content": "x" * 2001}])

    assert no.value.status_code == 413
    assert place.engines["blue"].num_asked == 0


# answers


def test_what_is_not_there_is_told_in_the_official_clients_words(place: Place) -> None:
    with official(place, "none") as client, pytest.raises(openai.NotFoundError, match="/v1/chat/completions"):
        client.embeddings.create(model="support", input="hello")


def test_a_model_that_is_away_is_told_in_the_official_clients_words() -> None:
    with edge_before({"blue": Served(), "green": Served()}, **free_ports("blue")) as place:
        place.go(ON_A)
        with official(place, "none") as client, pytest.raises(openai.InternalServerError, match="try again") as away:
            client.models.list()

    assert away.value.status_code == 503
    assert away.value.code == "model_away"


def test_the_first_piece_of_a_stream_arrives_before_the_last_is_made(place: Place) -> None:
    last = threading.Event()
    place.engines["blue"].streams = Streams(last_waits_for=last)
    place.engines["blue"].otherwise = "abcd"

    with official(place, give_key(place, "oli")) as client:
        stream = client.chat.completions.create(model="support", messages=HELLO, stream=True)
        first = next(chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content)
        last.set()
        others = [chunk.choices[0].delta.content for chunk in stream]

    assert [first, *others] == ["a", "b", "c", "d"]  # and no chunk that tells the usage


def test_what_an_engine_tells_the_edge_alone_is_no_line_of_the_stream(place: Place) -> None:
    """Some clients take every line for data."""
    key = give_key(place, "quin")
    engine = place.engines["blue"]
    engine.otherwise = ": {not a comment"

    lines = [line for line in ask(place, key, stream=True).text.split("\n\n") if line]

    assert lines[0] == ": this is a comment, and an endpoint may send it"  # an engine's own comments go on
    told = [json.loads(line.removeprefix("data: ")) for line in lines[1:-1]]
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in told).startswith(":")
    assert lines[-1] == "data: [DONE]"


def test_every_answer_has_the_requests_id_or_a_new_one(place: Place) -> None:
    url = f"{place.router.url()}/v1/models"

    assert httpx.get(url, headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    made = {httpx.get(url).headers["x-request-id"] for _ in range(2)}
    assert len(made) == 2


# the log


def test_each_request_is_one_line_of_who_and_how_much_and_never_of_what(place: Place) -> None:
    key = give_key(place, "pam")
    url = f"{place.router.url()}/v1/chat/completions?secret=of-the-query"
    headers = {"Authorization": f"Bearer {key}", "x-request-id": "looked-for"}

    httpx.post(url, json={"model": "support", "messages": HELLO}, headers=headers)

    log = place.settings.root / "access.log"
    eventually(lambda: "looked-for" in log.read_text())
    text = log.read_text()
    line = next(json.loads(line) for line in text.splitlines() if "looked-for" in line)
    assert {name: line[name] for name in ("key", "path", "status", "colour", "release", "flags")} == {
        "key": "pam",
        "path": "/v1/chat/completions",
        "status": 200,
        "colour": "blue",
        "release": "a",
        "flags": "-",
    }
    assert (line["prompt_tokens"], line["completion_tokens"]) == (5, 3)
    assert 0 <= line["ms_to_first_byte"] <= line["ms_to_end"]
    assert line["bytes_received"] > 0
    assert line["bytes_sent"] > 0
    for private in (key, "of-the-query", "nobody's business", "some_label", "/health"):
        assert private not in text
