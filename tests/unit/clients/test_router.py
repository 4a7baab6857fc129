import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import sha
from tests.fakes.router import FakeRouter

from ratchet.clients import router as module
from ratchet.clients.files import DiskFull
from ratchet.clients.router import BrokenRoutes, EdgeLags, EnvoyRouter, MovedMeanwhile, Router
from ratchet.clients.routes import USER_PATHS, routes, version_of
from ratchet.clients.settings import Ports
from ratchet.core.rollout import RouterState, first_state, switched_to, with_canary


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Bound, so that nobody else takes it, yet nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def envoy(tmp_path: Path, closed_port: int) -> EnvoyRouter:
    return EnvoyRouter(tmp_path / "router", Ports(edge=closed_port))


@pytest.fixture(params=["envoy", "fake"])
def router(request: pytest.FixtureRequest) -> Router:
    return request.getfixturevalue("envoy") if request.param == "envoy" else FakeRouter()


FIRST = first_state("blue", "a", sha("a"), seq=0)
SECOND = switched_to(FIRST, "green", "b", sha("b"), seq=3)


def test_before_the_first_write_there_is_no_state(router: Router) -> None:
    assert router.read() is None


@pytest.mark.parametrize("state", [FIRST, SECOND])
def test_what_was_written_is_in_force(router: Router, state: RouterState) -> None:
    router.write(state, router.read())

    assert router.read() == state


def test_the_last_write_counts(router: Router) -> None:
    for state in (FIRST, SECOND, FIRST):
        router.write(state, router.read())

    assert router.read() == FIRST


def test_of_two_writers_who_read_the_same_state_one_wins(router: Router) -> None:
    router.write(FIRST, None)

    router.write(SECOND, instead_of=FIRST)
    with pytest.raises(MovedMeanwhile):
        router.write(first_state("green", "c", sha("c"), seq=9), instead_of=FIRST)

    assert router.read() == SECOND


def test_another_process_reads_the_same_state(envoy: EnvoyRouter) -> None:
    envoy.write(SECOND, envoy.read())

    assert EnvoyRouter(envoy.path.parent, envoy.ports).read() == SECOND


def test_no_half_written_file_is_left_beside_the_routes(envoy: EnvoyRouter) -> None:
    envoy.write(FIRST, envoy.read())
    envoy.write(SECOND, envoy.read())

    assert [path.name for path in envoy.path.parent.iterdir()] == ["routes.json"]


def test_a_write_that_fails_leaves_the_state_that_was_in_force(
    envoy: EnvoyRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    envoy.write(FIRST, envoy.read())
    monkeypatch.setattr("os.fsync", _disk_full)

    with pytest.raises(DiskFull, match=r"No space left on device; \d+ bytes are free there and \d+ needed: free space"):
        envoy.write(SECOND, envoy.read())

    assert envoy.read() == FIRST
    assert [path.name for path in envoy.path.parent.iterdir()] == ["routes.json"]


@pytest.mark.parametrize("content", ["", "{", '{"resources": []}', '{"resources": [{"virtual_hosts": [7]}]}'])
def test_a_route_file_by_other_hands_is_named(envoy: EnvoyRouter, content: str) -> None:
    envoy.path.parent.mkdir()
    envoy.path.write_text(content)

    with pytest.raises(BrokenRoutes, match=r"routes\.json"):
        envoy.read()


def test_what_the_edge_first_starts_from_is_no_state(envoy: EnvoyRouter) -> None:
    envoy.path.parent.mkdir()
    envoy.path.write_bytes(routes(None))

    assert envoy.read() is None


def test_an_edge_that_does_not_take_the_state_is_an_error(envoy: EnvoyRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TAKEN_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(EnvoyRouter, "_version_in_force", lambda self: "older")

    with pytest.raises(EdgeLags, match="older"):
        envoy.write(FIRST, envoy.read())


def test_a_write_waits_until_the_edge_answers_with_it(envoy: EnvoyRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["older", "older", version_of(FIRST)])
    monkeypatch.setattr(EnvoyRouter, "_version_in_force", lambda self: next(answers))

    envoy.write(FIRST, envoy.read())

    assert list(answers) == []


# the route file


def _host(state: RouterState | None) -> dict[str, Any]:
    return json.loads(routes(state))["resources"][0]["virtual_hosts"][0]


def _shares(state: RouterState) -> dict[str, int]:
    route = next(route for route in _host(state)["routes"] if "route" in route)
    return {cluster["name"]: cluster["weight"] for cluster in route["route"]["weighted_clusters"]["clusters"]}


def test_all_requests_go_to_the_active_colour_and_a_canarys_share_has_a_fallback() -> None:
    assert _shares(FIRST) == {"blue": 100}
    assert _shares(SECOND) == {"green": 100}
    assert _shares(with_canary(SECOND, "c", sha("c"), 10, seq=2)) == {"green": 90, "blue_first": 10}


def test_users_reach_what_they_need_and_nothing_else() -> None:
    paths = [route["match"] for route in _host(FIRST)["routes"]]

    assert paths == [
        {"path": "/health"},
        {"path": "/v1/chat/completions"},
        {"path": "/v1/completions"},
        {"path": "/v1/models"},
        {"path": "/v1/feedback"},
    ]


def test_every_answer_says_which_release_made_it() -> None:
    route = next(route for route in _host(SECOND)["routes"] if "route" in route)
    headers = route["route"]["weighted_clusters"]["clusters"][0]["response_headers_to_add"]

    told = {entry["header"]["key"]: entry["header"]["value"] for entry in headers}
    assert told == {"x-ratchet-colour": "green", "x-model-release": "b"}


def test_a_release_id_cannot_be_read_as_a_variable_of_envoys() -> None:
    state = first_state("blue", "100%REQ(authorization)%", sha("a"), seq=0)

    assert "100%%REQ(authorization)%%" in routes(state).decode()


def test_without_a_state_every_request_for_the_model_is_told_so() -> None:
    told = {
        route["match"]["path"]: route["direct_response"]["status"]
        for route in _host(None)["routes"]
        if "direct_response" in route
    }

    assert told == dict.fromkeys(("/health", *USER_PATHS), 503)


def test_two_states_never_have_the_same_version() -> None:
    assert len({json.loads(routes(state))["version_info"] for state in (None, FIRST, SECOND)}) == 3


def _disk_full(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")
