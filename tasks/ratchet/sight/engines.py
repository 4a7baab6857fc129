"""What vLLM counts of its own requests, under names that no engine's version changes.

vllm:e2e_request_latency_seconds_bucket{engine="0",le="0.3",model_name="support"} 12.0
→ llm_request_duration_seconds_bucket{line="support",colour="blue",release="support-1",le="0.3"} 12.0
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ratchet.clients.http import http_client
from ratchet.clients.world import World
from ratchet.core.errors import TransientError
from ratchet.core.releases import Colour

TIMEOUT_SECONDS = 5.0
LABELS = ("line", "colour", "release")
HISTOGRAMS = {
    "llm_request_duration_seconds": ("vllm:e2e_request_latency_seconds", "Time from a request to its whole answer."),
    "llm_time_to_first_token_seconds": ("vllm:time_to_first_token_seconds", "Time from a request to its first token."),
    "llm_queue_duration_seconds": ("vllm:request_queue_time_seconds", "Time that a request waited in the engine."),
}
COUNTERS = {
    "llm_tokens_generated": ("vllm:generation_tokens_total", "Tokens that the engine generated."),
    "llm_tokens_prompt": ("vllm:prompt_tokens_total", "Tokens of prompts that the engine read."),
    "llm_preemptions": ("vllm:num_preemptions_total", "Requests that were put back for lack of KV cache."),
}
GAUGES = {
    "llm_active_requests": (
        ("vllm:num_requests_running", "vllm:num_requests_waiting"),
        "Requests in the engine that are not fully answered.",
    ),
    "llm_kv_cache_usage_ratio": (("vllm:kv_cache_usage_perc",), "Share of the KV cache that is in use, 0 to 1."),
}
# Of each finished request why it ended: stop, length, abort, …
FINISHED = "vllm:request_success_total"


class EngineAway(TransientError, ConnectionError):
    """A colour that is meant to serve something does not tell its metrics."""

    code = "SERVE_NOT_READY"


@dataclass(frozen=True)
class EngineFacts:
    """`page` is the engine's /metrics; None for a colour that is meant to serve nothing."""

    line: str
    colour: Colour
    release: str
    page: str | None


def gather(world: World, line: str, colour: Colour) -> EngineFacts:
    import httpx

    told = world.engine.loaded(colour)
    if told is None:
        return EngineFacts(line, colour, "", None)
    url = f"{world.engine.url(colour)}/metrics"
    try:
        page = http_client().get(url, timeout=TIMEOUT_SECONDS).raise_for_status().text
    except httpx.HTTPError as error:
        raise EngineAway(f"{url}: {error}") from error
    return EngineFacts(line, colour, told.release_id, page)


def families(facts: EngineFacts) -> list[Metric]:
    if facts.page is None:
        return []
    labels = (facts.line, facts.colour, facts.release)
    samples: dict[str, list[Sample]] = defaultdict(list)
    for family in text_string_to_metric_families(facts.page):
        for sample in family.samples:
            samples[sample.name].append(sample)
    told: list[Metric] = []
    for name, (theirs, text) in HISTOGRAMS.items():
        if samples[f"{theirs}_bucket"]:
            histogram = HistogramMetricFamily(name, text, labels=LABELS)
            histogram.add_metric(labels, _buckets(samples[f"{theirs}_bucket"]), _sum(samples[f"{theirs}_sum"]))
            told.append(histogram)
    for name, (theirs, text) in COUNTERS.items():
        if samples[theirs]:
            counter = CounterMetricFamily(name, text, labels=LABELS)
            counter.add_metric(labels, _sum(samples[theirs]))
            told.append(counter)
    for name, (parts, text) in GAUGES.items():
        if found := [sample for part in parts for sample in samples[part]]:
            gauge = GaugeMetricFamily(name, text, labels=LABELS)
            gauge.add_metric(labels, _sum(found))
            told.append(gauge)
    return [*told, _finished(labels, samples[FINISHED])]


def _finished(labels: tuple[str, ...], samples: Sequence[Sample]) -> Metric:
    family = CounterMetricFamily(
        "llm_requests_finished", "Answers by the reason of their end.", labels=(*LABELS, "reason")
    )
    for reason in sorted({sample.labels["finished_reason"] for sample in samples}):
        same = [sample for sample in samples if sample.labels["finished_reason"] == reason]
        family.add_metric((*labels, reason), _sum(same))
    return family


def _buckets(samples: Sequence[Sample]) -> list[tuple[str, float]]:
    """Each bucket over all of the engine's labels, smallest first."""
    counts: dict[str, float] = defaultdict(float)
    for sample in samples:
        counts[sample.labels["le"]] += sample.value
    return sorted(counts.items(), key=lambda bucket: float(bucket[0]))


def _sum(samples: Iterable[Sample]) -> float:
    return sum(sample.value for sample in samples)
