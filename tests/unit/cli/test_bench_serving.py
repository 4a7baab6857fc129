"""`ratchet bench-serving` against an endpoint that does as it is told."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.fakes.openai import Served, answering
from tests.fakes.streams import Streams

from ratchet.cli.bench.command import add_arguments, bench_serving
from ratchet.cli.bench.measure import NUM_WARM_UP
from ratchet.cli.bench.page import panels
from ratchet.cli.bench.prompts import built_in, from_file
from ratchet.cli.bench.report import BenchReport, Level, levels
from ratchet.clients.openai import EngineAway, RequestRefused
from ratchet.clients.settings import Ports, Settings
from ratchet.core.errors import TerminalError
from ratchet.recipes.catalogue import load_recipe

ROOT = Path(__file__).parents[3]
RECIPE = load_recipe("support", ROOT)


@contextmanager
def serving(**fields: Any) -> Iterator[tuple[Served, str]]:
    engine = Served(models={"support"}, **fields)
    with answering(lambda: engine) as url:
        yield engine, f"{url}/v1"


def bench(folder: Path, *arguments: str, ports: Ports | None = None) -> tuple[BenchReport, str]:
    """The report of bench.json, and what was printed."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    console = Console(record=True, width=160, highlight=False)
    options = parser.parse_args([*arguments, "--out", str(folder)])
    bench_serving(Settings(root=folder, ports=ports or Ports()), RECIPE, options, console)
    return BenchReport.model_validate_json((folder / "bench.json").read_bytes()), console.export_text()


def test_rising_load_is_measured_and_shown(tmp_path):
    with serving(streams=Streams(piece_seconds=0.002)) as (engine, url):
        report, said = bench(tmp_path, "--url", url, "--concurrency", "1,4", "--rate", "80", "--num-requests", "20")

    assert [result.level.name for result in report.levels] == ["1 at a time", "4 at a time", "80 per second"]
    assert engine.num_asked == NUM_WARM_UP + 3 * 20
    for result in report.levels:
        found = result.found
        assert (found.num_requests, found.num_failed, found.num_tokens) == (20, 0, 80)
        assert found.tokens_counted_by == "usage"
        assert found.ttft_ms.p95 is not None
        assert found.ttft_ms.p99 is None
    assert "4 at a time: 20 requests" in said
    assert "first token" in said
    assert "latencies count from when a request was due" in said


def test_the_page_needs_nothing_else_and_has_a_chart_for_each_kind_of_load(tmp_path):
    with serving() as (_, url):
        report, _ = bench(tmp_path, "--url", url, "--concurrency", "1,2", "--rate", "50", "--num-requests", "20")
    page = (tmp_path / "bench.html").read_text("utf-8")

    assert page.count("<svg") == 6
    assert not any(word in page for word in ("<script", "<link", "src=", "@import", "url("))
    assert [panel.axis for panel in panels(report)] == ["requests at a time", "requests arriving per second"]
    throughput = panels(report)[0].charts[0]
    assert [label for _, label in throughput.ticks] == ["1", "2"]
    assert all(0 <= y <= 1 for line in throughput.lines for _, y in line.points)


def test_the_edge_and_the_line_are_asked_unless_said_otherwise(tmp_path):
    with serving() as (_, url):
        edge = int(url.rpartition(":")[2].removesuffix("/v1"))
        report, _ = bench(tmp_path, "--concurrency", "1", "--num-requests", "2", ports=Ports(edge=edge))

    assert (report.url, report.model) == (url, "support")


def test_failures_are_counted_by_reason_and_told(tmp_path):
    with serving(streams=Streams(num_pieces=2)) as (engine, url):
        asked = iter(range(1000))
        engine.reply = lambda path, body: (200, {}) if next(asked) < NUM_WARM_UP + 3 else (503, {"error": "full"})
        report, said = bench(tmp_path, "--url", url, "--concurrency", "1", "--num-requests", "5")
    (result,) = report.levels

    assert (result.found.num_failed, result.found.num_tokens) == (2, 6)
    assert "2 of 5" in said
    assert f"1 at a time: 2 failed: {url}/chat/completions answers 503" in said


def test_chunks_are_counted_where_no_usage_is_told_and_it_is_said(tmp_path):
    with serving(streams=Streams(tells_usage=False)) as (_, url):
        report, said = bench(tmp_path, "--url", url, "--concurrency", "1", "--num-requests", "2")

    assert report.levels[0].found.tokens_counted_by == "chunks"
    assert "tokens were counted as chunks" in said


def test_an_endpoint_that_knows_no_stream_options_is_asked_without(tmp_path):
    with serving() as (engine, url):
        reply = engine.reply
        refusal = 400, {"error": {"message": "Unknown parameter: stream_options"}}
        engine.reply = lambda path, body: refusal if "stream_options" in body else reply(path, body)
        report, _ = bench(tmp_path, "--url", url, "--concurrency", "1", "--num-requests", "2")

    assert (report.levels[0].found.num_failed, report.levels[0].found.tokens_counted_by) == (0, "chunks")


def test_an_unknown_model_is_told_with_those_that_there_are(tmp_path):
    with serving() as (_, url), pytest.raises(TerminalError, match="serves no model 'gpt'; --model: support"):
        bench(tmp_path, "--url", url, "--model", "gpt")


def test_a_refused_request_is_told_with_what_the_endpoint_says(tmp_path):
    with serving(status=400) as (_, url), pytest.raises(RequestRefused, match=r"400: .*the engine is broken"):
        bench(tmp_path, "--url", url)


def test_an_endpoint_that_is_away_is_told_with_what_to_do(tmp_path):
    with pytest.raises(EngineAway, match=r"ConnectError.*; check --url"):
        bench(tmp_path, "--url", "http://127.0.0.1:9/v1")
    with pytest.raises(EngineAway, match="`ratchet up` starts the platform"):
        bench(tmp_path, ports=Ports(edge=9))


def test_a_key_comes_from_a_file_and_stays_out_of_what_is_written(tmp_path):
    key = tmp_path / "key"
    key.write_text("s3cr3t\n")
    with serving(key="s3cr3t") as (_, url):
        bench(tmp_path / "out", "--url", url, "--key-file", str(key), "--concurrency", "1", "--num-requests", "2")
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())

    assert b"s3cr3t" not in written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "127.0.0.1:8700"], "expected an address like http://127"),
        (["--url", "https://me:word@host/v1"], "give a key with --key-file"),
        (["--concurrency", "1,two"], r"--concurrency '1,two': expected whole numbers above 0, like 1,2,4,8"),
        (["--concurrency", "0"], "expected whole numbers above 0"),
        (["--rate", "nan"], "expected numbers above 0"),
        (["--key-file", "/nowhere"], "--key-file /nowhere: cannot be read"),
        (["--prompts", "/nowhere"], "--prompts /nowhere: cannot be read"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_sent(tmp_path, arguments, message):
    with pytest.raises(TerminalError, match=message):
        bench(tmp_path, *arguments)


def test_levels_are_closed_then_open_and_a_rate_alone_has_no_closed_ones():
    assert levels("1,8", "0.5") == (Level(concurrency=1), Level(concurrency=8), Level(rate_per_second=0.5))
    assert levels(None, "2") == (Level(rate_per_second=2),)
    assert [level.concurrency for level in levels(None, None)] == [1, 2, 4, 8]


def test_built_in_prompts_have_three_lengths_and_do_not_begin_alike():
    prompts = built_in(30, seed=1)
    texts = [chat[0]["content"] for chat in prompts.chats]

    assert [len(text.split()) for text in texts[:4]] == [14, 31, 56, 14]
    assert max(len(text) for text in texts) < 400  # bytes: tokens of the simplest tokenizer
    assert len({text[:40] for text in texts}) == 30
    assert built_in(30, seed=1) == prompts
    assert built_in(30, seed=2).name != prompts.name


def test_prompts_of_a_file_are_texts_or_messages_asked_in_turn(tmp_path):
    rows = [{"prompt": "o\u2028ne", "answer": "ignored"}, {"messages": [{"role": "system", "content": "two"}]}]
    path = tmp_path / "prompts.jsonl"
    path.write_text("\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n", "utf-8", newline="")

    prompts = from_file(path)

    assert prompts.name.startswith("2 prompts of prompts.jsonl (")
    assert [prompts.at(number)[0]["content"] for number in range(3)] == ["o\u2028ne", "two", "o\u2028ne"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "prompts.jsonl, row 2: expected a JSON object"),
        ('{"text": "x"}', "prompts.jsonl, row 2: expected `prompt`"),
        ('{"prompt": ""}', "row 2: expected `prompt`"),
        ('{"messages": ["x"]}', "row 2: expected `prompt`"),
    ],
)
def test_a_row_that_asks_nothing_is_named(tmp_path, row, message):
    path = tmp_path / "prompts.jsonl"
    path.write_text(f'{{"prompt": "fine"}}\n{row}\n')

    with pytest.raises(TerminalError, match=message):
        from_file(path)
