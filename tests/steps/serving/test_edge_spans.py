"""The real edge tells a collector of each request: which release answered, how and how much; nothing that was said."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.collector import Collector, collecting, told
from tests.fakes.events import sha
from tests.fakes.openai import Served
from tests.steps.serving.edge_place import Place, edge_before
from tests.steps.serving.test_edge_pod import MIA, answers, eventually, pod

from ratchet.clients.openai import COLOUR_HEADER, RELEASE_HEADER
from ratchet.core.rollout import first_state, with_canary

pytestmark = pytest.mark.timeout(180)

ON_A = first_state("blue", "a", sha("a"), seq=0)
CALLER, PARENT = "a" * 32, "b" * 16
PLANTED = "hunter2-4111111111111111"
# Whatever a client can say in words of its own, but for its request's id.
EVERYWHERE = {
    "user-agent": PLANTED,
    "host": PLANTED,
    "authorization": f"Bearer {PLANTED}",
    "content-type": f"application/grpc+{PLANTED}",
    "grpc-timeout": PLANTED,
    "tracestate": f"v={PLANTED}",
    "baggage": f"v={PLANTED}",
    "x-client-trace-id": PLANTED,
    "x-conversation-id": PLANTED,
    "x-envoy-downstream-service-cluster": PLANTED,
    "x-envoy-original-path": f"/{PLANTED}",
    "x-forwarded-for": f"203.0.113.7,{PLANTED}",
    "x-ratchet-key": PLANTED,
    "x-b3-traceid": PLANTED,
}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture(scope="module")
def running(collector: Collector) -> Iterator[Place]:
    with edge_before({"blue": Served(), "green": Served()}, f'[traces]\notlp_endpoint = "{collector.url}/"') as place:
        yield place


@pytest.fixture
def place(running: Place, collector: Collector) -> Place:
    for colour, release in (("blue", "a"), ("green", "b")):
        headers = {COLOUR_HEADER: colour, RELEASE_HEADER: release}
        running.engines[colour] = Served(models={"support"}, headers=headers)  # type: ignore[index]
    running.go(ON_A)
    return running


def ask(place: Place, path: str = "/v1/chat/completions", said: str = "Hello", **headers: str) -> httpx.Response:
    asked = {"model": "support", "messages": [{"role": "user", "content": said}]}
    return httpx.post(f"{place.router.url()}{path}", json=asked, headers=headers, timeout=10.0)


def span_of(answer: httpx.Response, collector: Collector) -> Any:
    """Waits for it."""
    asked = answer.headers["x-request-id"]
    eventually(lambda: any(told(span).get("ratchet.request_id") == asked for span in collector.spans()))
    return next(span for span in collector.spans() if told(span).get("ratchet.request_id") == asked)


def test_a_requests_span_names_the_release_that_answered(place: Place, collector: Collector) -> None:
    answer = ask(place)
    span = span_of(answer, collector)

    said = told(span)
    assert (said["ratchet.release"], said["ratchet.colour"], said["gen_ai.response.model"]) == ("a", "blue", "a")
    assert (said["gen_ai.operation.name"], said["gen_ai.request.model"]) == ("chat", "support")
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == ("5", "3")
    assert (said["http.response.status_code"], span.name) == ("200", "POST /v1/chat/completions")
    assert float(said["ratchet.ms_to_first_byte"]) >= 0
    assert not span.parent_span_id
    assert place.engines["blue"].heard["traceparent"] == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert told(collector.received[0].resource_spans[0].resource)["service.name"] == "ratchet-edge"


def test_the_access_log_says_the_trace_of_an_answer(place: Place, collector: Collector) -> None:
    answer = ask(place)
    trace = span_of(answer, collector).trace_id.hex()

    def logged() -> bool:
        lines = [json.loads(line) for line in (place.settings.root / "access.log").read_text().splitlines()]
        return (answer.headers["x-request-id"], trace) in {(line["request_id"], line["trace"]) for line in lines}

    eventually(logged)


def test_a_callers_trace_goes_on_through_the_edge_to_the_engine(place: Place, collector: Collector) -> None:
    span = span_of(ask(place, traceparent=f"00-{CALLER}-{PARENT}-01"), collector)

    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (CALLER, PARENT)
    assert place.engines["blue"].heard["traceparent"] == f"00-{CALLER}-{span.span_id.hex()}-01"


def test_a_failure_is_an_error_and_says_what_envoy_saw(place: Place, collector: Collector) -> None:
    place.engines["blue"].status = 500

    span = span_of(ask(place), collector)

    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert told(span)["ratchet.details"] == "via_upstream"


def test_nothing_that_a_client_says_is_told(place: Place, collector: Collector) -> None:
    place.engines["blue"].otherwise = PLANTED
    place.engines["green"].otherwise = PLANTED
    place.go(with_canary(ON_A, "b", sha("b"), 0, seq=2))  # a shadow, whose span is its own
    everywhere = {**EVERYWHERE, "traceparent": f"00-{CALLER}-{PARENT}-01"}
    said = ask(place, f"/v1/chat/completions?q={PLANTED}", PLANTED, **everywhere)
    nowhere = ask(place, f"/v1/{PLANTED}?q={PLANTED}", PLANTED, **EVERYWHERE)

    span_of(said, collector)
    span_of(nowhere, collector)
    eventually(lambda: any(span.name == "mirror" for span in collector.spans()))
    assert said.status_code == 200
    assert PLANTED not in str(collector.received)
    assert "203.0.113.7" not in str(collector.received)


def test_a_request_id_of_the_clients_own_is_left_as_it_is_and_told(place: Place, collector: Collector) -> None:
    answer = ask(place, **{"x-request-id": "order 7"})

    assert answer.headers["x-request-id"] == "order 7"
    assert told(span_of(answer, collector))["ratchet.request_id"] == "order 7"


def test_what_a_caller_does_not_trace_and_what_the_router_asks_is_not_told(place: Place, collector: Collector) -> None:
    untraced = ask(place, traceparent=f"00-{'c' * 32}-{PARENT}-00")
    httpx.get(f"{place.router.url()}/health", timeout=10.0)
    httpx.get(f"{place.router.url()}/health?again", timeout=10.0)
    span_of(ask(place), collector)  # comes after them

    assert untraced.status_code == 200
    assert "c" * 32 not in {span.trace_id.hex() for span in collector.spans()}
    assert {span.name for span in collector.spans()} <= {"POST /v1/chat/completions", "POST ", "mirror"}


def test_a_share_of_requests_is_told_and_a_caller_may_ask_for_its_own(collector: Collector) -> None:
    table = f'[traces]\notlp_endpoint = "{collector.url}"\nrequest_share = 0.0'
    with edge_before({"blue": Served(models={"support"}), "green": Served()}, table) as place:
        place.go(ON_A)
        untold = [ask(place).headers["x-request-id"] for _ in range(20)]
        span_of(ask(place, traceparent=f"00-{CALLER}-{PARENT}-01"), collector)

    assert not {told(span).get("ratchet.request_id") for span in collector.spans()} & set(untold)


def test_a_collector_that_is_away_costs_users_nothing() -> None:
    with edge_before({"blue": Served(models={"support"}), "green": Served()}, _AWAY) as place:
        place.go(ON_A)

        assert {ask(place).status_code for _ in range(20)} == {200}


_AWAY = '[traces]\notlp_endpoint = "http://127.0.0.1:9"'


def test_the_clusters_edge_tells_the_same(tmp_path: Path, collector: Collector) -> None:
    with ExitStack() as stack:
        made = stack.enter_context(pod(tmp_path, {"mia": MIA}, more=f'[traces]\notlp_endpoint = "{collector.url}"\n'))
        eventually(lambda: answers(f"{made.url}/health"))
        said = told(span_of(made.ask(MIA), collector))

    assert (said["ratchet.release"], said["gen_ai.operation.name"]) == ("a", "chat")
    assert MIA not in str(collector.received)
