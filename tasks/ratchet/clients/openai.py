"""Asking an OpenAI-compatible endpoint, an engine or the edge, the way users do."""

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ratchet.clients.http import http_client
from ratchet.core.errors import TerminalError, TransientError

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 30.0
# Latency is compared between models whose answers differ in length, so each timed answer has this many tokens.
TIMED_TOKENS = 16
# What vLLM says, with status 400, when it should put a NaN into its JSON.
VLLM_HAS_NAN = "not JSON compliant"
NAN_WEIGHTS = "expected finite numbers; its weights hold NaN or infinity: train it again"
COLOUR_HEADER, RELEASE_HEADER = "x-ratchet-colour", "x-model-release"


class EngineAway(TransientError, ConnectionError):
    """Nobody answers, or not in time, or with a server error, or too many ask."""

    code = "SERVE_NOT_READY"


class RequestRefused(TerminalError, ValueError):
    """The endpoint does not take the request: another model, or a prompt that is too long."""

    code = "SERVE_WRONG"


class NotANumber(TerminalError, ArithmeticError):
    """The model computes NaN or infinity; its answers come out empty under HTTP 200."""

    code = "SERVE_WRONG"


@dataclass(frozen=True)
class Answer:
    """`truncated` says that the token limit ended it. `colour` and `release` are the edge's headers."""

    text: str
    latency_ms: float
    truncated: bool
    colour: str | None
    release: str | None


def chat(
    url: str,
    model: str,
    prompt: str,
    max_tokens: int,
    *,
    exactly: bool = False,
    timeout: float = TIMEOUT_SECONDS,
    key: str = "",
) -> Answer:
    """One greedy answer. `exactly` makes it `max_tokens` long whatever the model says (an extension of vLLM's, which
    other endpoints refuse). `key`: what the endpoint wants as its bearer token, if anything.

    Raises:
        EngineAway, RequestRefused.
    """
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
        **({"ignore_eos": True} if exactly else {}),
    }
    http_client()  # made once, outside of what is timed
    started = time.perf_counter()
    content, headers = _post(f"{url}/v1/chat/completions", body, timeout, key)
    latency_ms = (time.perf_counter() - started) * 1000
    try:
        choice = content["choices"][0]
        text, truncated = choice["message"]["content"] or "", choice["finish_reason"] == "length"
    except (LookupError, TypeError) as error:
        raise EngineAway(f"{url}: expected a chat completion, got {str(content)[:200]}") from error
    return Answer(text, latency_ms, truncated, headers.get(COLOUR_HEADER), headers.get(RELEASE_HEADER))


def timed_chat(url: str, model: str, prompt: str, key: str = "") -> Answer:
    """An answer of exactly `TIMED_TOKENS` tokens. Raises as `chat`."""
    return chat(url, model, prompt, TIMED_TOKENS, exactly=True, key=key)


def check_numbers(url: str, model: str, prompt: str) -> None:
    """Raises NotANumber when the log-probability of the first answer token is not finite; else as `chat`."""
    body = {"model": model, "prompt": prompt, "max_tokens": 1, "temperature": 0, "logprobs": 1}
    try:
        content, _ = _post(f"{url}/v1/completions", body, TIMEOUT_SECONDS)
    except RequestRefused as refused:
        if VLLM_HAS_NAN in str(refused):
            raise NotANumber(f"{refused}: {NAN_WEIGHTS}") from refused
        raise
    try:
        logprobs = content["choices"][0]["logprobs"]["token_logprobs"]
    except (LookupError, TypeError) as error:
        raise EngineAway(f"{url}: expected a completion with logprobs, got {str(content)[:200]}") from error
    if not logprobs or not all(isinstance(value, float | int) and math.isfinite(value) for value in logprobs):
        raise NotANumber(f"{url}: {model} answers with log-probabilities {logprobs}: {NAN_WEIGHTS}")


def bearer(key: str) -> dict[str, str]:
    """The headers that carry a key, if there is one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def check_status(url: str, response: "httpx.Response") -> None:
    """Raises EngineAway, RequestRefused for what is no success, with what the endpoint says."""
    import httpx

    if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise EngineAway(f"{url} answers {response.status_code}: {response.text[:300]}")
    if not response.is_success:
        raise RequestRefused(f"{url} refuses the request with {response.status_code}: {response.text[:300]}")


def served_names(url: str) -> tuple[str, ...]:
    """The names under which an engine answers: its line, its release and its model's digest. Raises EngineAway."""
    import httpx

    try:
        response = http_client().get(f"{url}/v1/models", timeout=TIMEOUT_SECONDS).raise_for_status()
        return tuple(str(entry["id"]) for entry in response.json()["data"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        raise EngineAway(f"{url} does not list its models: {type(error).__name__}: {error}") from error


def _post(url: str, body: dict[str, Any], timeout: float, key: str = "") -> tuple[Any, dict[str, str]]:
    import httpx

    try:
        response = http_client().post(url, json=body, timeout=timeout, headers=bearer(key))
    except httpx.HTTPError as error:
        raise EngineAway(f"{url} does not answer: {type(error).__name__}: {error}") from error
    check_status(url, response)
    try:
        return response.json(), dict(response.headers)
    except ValueError as error:
        raise EngineAway(f"{url}: expected JSON, got {response.text[:200]!r}") from error
