"""Wait until the engine truly answers. Its health page is no proof: it says yes while draining and with NaN weights."""

import time
from collections.abc import Sequence

from ratchet.clients.engine import Engine, lacked_memory
from ratchet.clients.openai import EngineAway, chat, check_numbers
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.log import progress
from ratchet.core.releases import Colour

POLL_SECONDS = 0.5
PROGRESS_SECONDS = 5.0
NUM_TRIES = 3  # prompts of which one must be answered with text


class EngineDied(TerminalError, RuntimeError):
    """The engine ended instead of serving the model."""

    code = "SERVE_DIED"


class EngineOutOfMemory(EngineDied):
    """It ended because there was no memory for the model beside production."""

    code = "SERVE_OOM"


class NotReady(TransientError, TimeoutError):
    """The engine did not answer before the deadline."""

    code = "SERVE_NOT_READY"


class Speechless(TerminalError, ValueError):
    """The model answers with empty text."""

    code = "SERVE_WRONG"


def wait_ready(engine: Engine, colour: Colour, model: str, prompts: Sequence[str], timeout_seconds: float) -> float:
    """Return the seconds until the engine answered a real chat, as `model`, with text and finite log-probabilities.

    Raises:
        EngineDied, NotReady.
        NotANumber, Speechless, RequestRefused: it answers, but not as this model must.
    """
    started = last_said = time.monotonic()
    while True:
        try:
            _check_answers(engine.url(colour), model, prompts)
            return time.monotonic() - started
        except EngineAway as away:
            elapsed = time.monotonic() - started
            if ended := engine.failure(colour):
                kind = EngineOutOfMemory if lacked_memory(ended) else EngineDied
                raise kind(f"{colour} ended after {elapsed:.0f} s instead of serving the model: {ended}") from away
            if elapsed > timeout_seconds:
                raise NotReady(
                    f"{colour} does not answer after {elapsed:.0f} s (at most {timeout_seconds:.0f} allowed): {away}"
                ) from away
        if time.monotonic() - last_said >= PROGRESS_SECONDS:
            last_said = time.monotonic()
            progress(state=f"waiting for {colour} to answer", elapsed_seconds=round(last_said - started))
        time.sleep(POLL_SECONDS)


def _check_answers(url: str, model: str, prompts: Sequence[str]) -> None:
    check_numbers(url, model, prompts[0])
    if not any(chat(url, model, prompt, max_tokens=8).text.strip() for prompt in prompts[:NUM_TRIES]):
        raise Speechless(
            f"{url}: {model} answers {min(NUM_TRIES, len(prompts))} prompts of the test split with nothing"
        )
