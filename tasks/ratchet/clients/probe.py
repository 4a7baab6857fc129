"""Is an engine fit for users now? Its health page says yes while it drains and with NaN weights; an answer does not."""

import time
from collections.abc import Callable

from ratchet.clients.openai import check_numbers
from ratchet.core.errors import RatchetError

QUESTION = "Hello, who are you?"
POLL_SECONDS = 1.0


def why_not_serving(url: str, model_sha256: str) -> str | None:
    """None when the engine at `url` answers with finite numbers under the model's digest, which is one of its names."""
    try:
        check_numbers(url, model_sha256, QUESTION)
    except RatchetError as error:
        return str(error)
    return None


def wait_until(ready: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
