"""The adapter lane's middleware around a small ASGI app that names its base as vLLM does."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ratchet.serving.asgi import Message
from ratchet.serving.names import OnlyTheRelease

DIGEST = "f" * 64
BASE = "base-" + "0" * 64


class Engine:
    """Says by which name it was asked; without one, or by the base's, it would answer as the base."""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        lengths = [int(value) for name, value in scope["headers"] if name == b"content-length"]
        assert lengths in ([len(body)], [])
        said = {"data": [{"id": name} for name in (BASE, "support", "light", DIGEST)]}
        if scope["path"] != "/v1/models":
            said = {"asked": body.decode(errors="replace")}
        answer = json.dumps(said).encode()
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer[:10], "more_body": True})
        await send({"type": "http.response.body", "body": answer[10:]})


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> OnlyTheRelease:
    monkeypatch.setenv("RATCHET_NAMES", f"support light {DIGEST}")
    return OnlyTheRelease(Engine())


def request(app: OnlyTheRelease, method: str, path: str, content: Any = None) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            return await client.request(method, path, content=content)

    return asyncio.run(ask())


def ask(app: OnlyTheRelease, path: str = "/v1/chat/completions", **asked: Any) -> httpx.Response:
    return request(app, "POST", path, json.dumps(asked))


def as_engine_heard(response: httpx.Response) -> Any:
    return json.loads(response.json()["asked"])


@pytest.mark.parametrize("name", ["support", "light", DIGEST])
def test_a_request_by_a_name_of_the_release_is_passed_on_as_it_came(app: OnlyTheRelease, name: str) -> None:
    content = f'{{"model":  "{name}", "prompt": "é"}}'

    assert request(app, "POST", "/v1/completions", content).json()["asked"] == content


@pytest.mark.parametrize("unnamed", [{}, {"model": None}, {"model": ""}])
def test_a_request_without_a_name_is_for_the_line(app: OnlyTheRelease, unnamed: dict[str, Any]) -> None:
    heard = as_engine_heard(ask(app, prompt="é", **unnamed))

    assert heard == {"model": "support", "prompt": "é"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses"])
@pytest.mark.parametrize("name", [BASE, "nonsense", ["support"], {"a": 1}, 7], ids=str)
def test_the_base_and_whatever_else_is_unknown(app: OnlyTheRelease, path: str, name: Any) -> None:
    answer = ask(app, path, model=name)

    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "NotFoundError"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"[" * 100_000])
def test_what_is_no_request_is_left_to_the_engine_to_refuse(app: OnlyTheRelease, content: bytes) -> None:
    assert request(app, "POST", "/v1/completions", content).status_code == 200


def test_a_request_in_pieces_is_looked_at_whole(app: OnlyTheRelease) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"model": "ba', f'se-{"0" * 64}"}}'.encode()):
            yield piece

    assert request(app, "POST", "/v1/completions", pieces()).status_code == 404


def test_the_base_is_not_listed(app: OnlyTheRelease) -> None:
    answer = request(app, "GET", "/v1/models")

    assert [card["id"] for card in answer.json()["data"]] == ["support", "light", DIGEST]


def test_other_pages_are_the_engines_own(app: OnlyTheRelease) -> None:
    assert request(app, "POST", "/metrics", b"x").json() == {"asked": "x"}
