"""What Ratchet adds to vLLM's HTTP server: every answer names its release, every stream tells the edge how many tokens
it used, and a readiness page generates one.

vLLM's own /health says yes while it drains, with a missing tokenizer and with NaN weights. Loaded by `--middleware`.
"""

import asyncio
import math
import os
import time
from typing import Any

from ratchet.clients.openai import COLOUR_HEADER, RELEASE_HEADER
from ratchet.serving.asgi import App, Message, Receive, Send
from ratchet.serving.capture import capturing
from ratchet.serving.usage import telling_usage

READY_PATH = "/-/ready"
ANSWER_PATHS = ("/v1/chat/completions", "/v1/completions")
# An engine that has just answered a user needs no further proof, and must not lose traffic because its queue is long.
PROVEN_SECONDS = 10.0
PROBE_SECONDS = 8.0
COLOUR_VARIABLE, RELEASE_VARIABLE, MODEL_VARIABLE = "RATCHET_COLOUR", "RATCHET_RELEASE", "RATCHET_MODEL"
# Behind a Service, a connection stays with its pod: closing each lets the next request follow the switch.
CLOSE_VARIABLE = "RATCHET_CLOSE_CONNECTIONS"


class Answers:
    """ASGI middleware; a stream goes through as it comes."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.kept = capturing(app, os.environ.get(COLOUR_VARIABLE, ""), os.environ.get(RELEASE_VARIABLE, ""))
        told = {COLOUR_HEADER: COLOUR_VARIABLE, RELEASE_HEADER: RELEASE_VARIABLE}
        self.headers = [(name.encode(), os.environ[key].encode()) for name, key in told.items() if key in os.environ]
        if os.environ.get(CLOSE_VARIABLE):
            self.headers.append((b"connection", b"close"))
        self.model = os.environ.get(MODEL_VARIABLE, "")
        self.answered_at = -math.inf

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == READY_PATH:
            await self._tell_ready(scope, send)
        elif scope["path"] in ANSWER_PATHS:
            await self.kept(*await telling_usage(scope, receive, self._named(scope["path"], send)))
        else:
            await self.app(scope, receive, self._named(scope["path"], send))

    def _named(self, path: str, send: Send) -> Send:
        """An answer's headers go out with its first token: vLLM begins a stream with a 200 before there is any, and
        what has begun the edge cannot give to another engine.
        """
        held: Message | None = None
        answers = False

        async def named(message: Message) -> None:
            nonlocal held, answers
            if message["type"] == "http.response.start":
                held = {**message, "headers": [*message.get("headers", ()), *self.headers]}
                answers = path in ANSWER_PATHS and message["status"] == 200
                return
            if answers and message.get("body"):
                self.answered_at = time.monotonic()
            if held and (message.get("body") or not message.get("more_body")):
                await send(held)
                held = None
            if not held:
                await send(message)

        return named

    async def _tell_ready(self, scope: Message, send: Send) -> None:
        problem = None if time.monotonic() - self.answered_at < PROVEN_SECONDS else await self._problem(scope)
        body = (problem or "a token was generated").encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *self.headers]
        await send({"type": "http.response.start", "status": 503 if problem else 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _problem(self, scope: Message) -> str | None:
        """Why the engine does not generate one token with a finite log-probability; None when it does."""
        import httpx

        asked = {"model": self.model, "prompt": "Hello", "max_tokens": 1, "temperature": 0, "logprobs": 1}
        # What the server puts into each request's scope, and its routes look for: the application and its state.
        around = {name: scope[name] for name in ("app", "state") if name in scope}

        async def app(asked: Message, receive: Any, answer: Any) -> None:
            await self.app({**asked, **around}, receive, answer)

        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
                answer = await asyncio.wait_for(client.post("/v1/completions", json=asked), PROBE_SECONDS)
        except (httpx.HTTPError, TimeoutError) as error:
            return f"no token after {PROBE_SECONDS:.0f} s: {error!r}"
        if answer.status_code != httpx.codes.OK:
            return f"{answer.status_code}: {answer.text[:300]}"
        logprobs = answer.json()["choices"][0]["logprobs"]["token_logprobs"]
        return None if logprobs and all(map(math.isfinite, logprobs)) else f"log-probabilities {logprobs}: bad weights"
