"""Does an engine really answer? Its health page says yes while it drains, and with NaN weights; a chat does not."""

import math
import time
from collections.abc import Callable
from typing import Any

QUESTION = "Hello, who are you?"
POLL_SECONDS = 1.0


def why_not_answering(url: str, timeout_seconds: float = 10.0) -> str | None:
    """One short real chat with the engine at `url`; None when it answered with text and finite log-probabilities."""
    import httpx

    try:
        with httpx.Client(base_url=url, timeout=timeout_seconds) as http:
            model = http.get("/v1/models").raise_for_status().json()["data"][0]["id"]
            ask = {
                "model": model,
                "messages": [{"role": "user", "content": QUESTION}],
                "max_tokens": 4,
                "temperature": 0,
            }
            answer = http.post("/v1/chat/completions", json={**ask, "logprobs": True}).raise_for_status().json()
        return _problem(answer["choices"][0])
    except httpx.HTTPError as error:
        return f"{url} does not answer a chat: {type(error).__name__}: {error}"
    except (ValueError, LookupError, TypeError) as error:
        return f"{url} gave an answer that is not a chat completion: {type(error).__name__}: {error}"


def wait_until(ready: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _problem(choice: Any) -> str | None:
    if not choice["message"]["content"]:
        return "the engine answered a chat with empty text"
    logprobs = [token["logprob"] for token in choice["logprobs"]["content"]]
    if not logprobs or not all(math.isfinite(value) for value in logprobs):
        return f"the engine's log-probabilities are not finite: {logprobs}"
    return None
