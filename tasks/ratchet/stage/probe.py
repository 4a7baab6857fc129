"""The load probe: both colours stream answers to the same prompts in turn, until the preview proves fast enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from ratchet.clients.openai import TIMED_TOKENS, TIMEOUT_SECONDS, EngineAway, RequestRefused
from ratchet.clients.streaming import Endpoint, stream_chat, user_says
from ratchet.core.latency import Failed, Outcome, StreamSummary, Timing, summarise
from ratchet.core.log import progress
from ratchet.stage.contract import StageSettings
from ratchet.stage.judge import Pair, judge_ratios, look_sizes


@dataclass(frozen=True)
class Probed:
    """`failed`: the request that the preview did not answer; asking ended with it."""

    pairs: tuple[Pair, ...]
    failed: Failed | None = None

    @property
    def preview(self) -> StreamSummary:
        return _one_by_one([*(pair.preview for pair in self.pairs), *((self.failed,) if self.failed else ())])

    @property
    def active(self) -> StreamSummary:
        return _one_by_one([pair.active for pair in self.pairs])


class PreviewFailed(Exception):
    """The preview did not answer a request of the probe."""


def endpoint(base_url: str, line: str) -> Endpoint:
    return Endpoint(f"{base_url}/v1", line, TIMED_TOKENS, exactly=True, timeout_seconds=TIMEOUT_SECONDS)


def probe(preview: Endpoint, active: Endpoint, prompts: Sequence[str], settings: StageSettings) -> Probed:
    """Pairs up to a look at which every limit is kept, or all of them; or up to the preview's first failure.

    Raises:
        EngineAway, RequestRefused: production does not answer, so there is nothing to compare with.
    """
    pairs: list[Pair] = []
    sizes = look_sizes(settings)
    try:
        _pair(preview, active, prompts[0], preview_first=True)  # opens the connections, and does not count
        for number, prompt in enumerate(islice(cycle(prompts), sizes[-1])):
            pairs.append(_pair(preview, active, prompt, preview_first=number % 2 == 0))
            if len(pairs) in sizes:
                progress(state="probing the latency of both colours", pairs=len(pairs), at_most=sizes[-1])
                if all(check.verdict == "PASS" for check in judge_ratios(pairs, settings)):
                    break
    except PreviewFailed as failure:
        return Probed(tuple(pairs), Failed(str(failure)))
    return Probed(tuple(pairs))


def _pair(preview: Endpoint, active: Endpoint, prompt: str, preview_first: bool) -> Pair:
    """Raises PreviewFailed; EngineAway, RequestRefused when production is what does not answer."""
    if preview_first:
        ours = _of_preview(preview, prompt)
        return Pair(ours, stream_chat(active, user_says(prompt)))
    theirs = stream_chat(active, user_says(prompt))
    return Pair(_of_preview(preview, prompt), theirs)


def _of_preview(preview: Endpoint, prompt: str) -> Timing:
    try:
        return stream_chat(preview, user_says(prompt))
    except (EngineAway, RequestRefused) as error:
        raise PreviewFailed(str(error)) from error


def _one_by_one(outcomes: Sequence[Outcome]) -> StreamSummary:
    """The load of one colour took as long as its answers: the other had its turn between them."""
    return summarise(outcomes, sum(timing.answer_ms for timing in outcomes if isinstance(timing, Timing)) / 1000)
