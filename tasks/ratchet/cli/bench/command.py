"""`ratchet bench-serving`: how fast any OpenAI-compatible endpoint answers, under one load after another."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from ratchet.cli.bench.measure import NUM_WARM_UP, measure, warm_up
from ratchet.cli.bench.page import render
from ratchet.cli.bench.prompts import Prompts, built_in, from_file
from ratchet.cli.bench.report import BenchReport, LevelResult, levels
from ratchet.clients.edge_keys import own_key
from ratchet.clients.files import replace_file
from ratchet.clients.openai import EngineAway
from ratchet.clients.settings import Settings
from ratchet.clients.streaming import Endpoint
from ratchet.core.errors import TerminalError
from ratchet.core.latency import Percentiles, readable_ms
from ratchet.recipes.recipe import Recipe

SILENCE_SECONDS = 120.0


def add_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--url", help="what /chat/completions comes after (default: this platform's edge)")
    verb.add_argument("--model", help="the model's name there (default: the line)")
    verb.add_argument("--prompts", type=Path, help='JSON lines with "prompt" or "messages" (default: built-in ones)')
    verb.add_argument("--concurrency", metavar="N,N", help="closed loop: users at a time (default: 1,2,4,8)")
    verb.add_argument("--rate", metavar="R,R", help="open loop: requests per second, at random (Poisson)")
    verb.add_argument("--num-requests", type=_positive, default=32, help="per level (default: 32; p99 needs 100)")
    verb.add_argument("--max-tokens", type=_positive, default=64, help="of an answer (default: 64)")
    verb.add_argument("--seed", type=int, default=0, help="of built-in prompts and of arrivals (default: 0)")
    verb.add_argument("--out", type=Path, help="a folder for bench.json and bench.html (default: <state>/bench/<time>)")
    verb.add_argument("--key-file", type=Path, help="a file with the endpoint's key, sent as a bearer token")


def bench_serving(settings: Settings, recipe: Recipe, options: argparse.Namespace, console: Console) -> None:
    """Raises TerminalError for what is asked wrongly, EngineAway when nobody answers."""
    asked = levels(options.concurrency, options.rate)
    prompts = _prompts(options, len(asked))
    url = _checked(options.url) if options.url else f"{settings.users_url}/v1"
    endpoint = Endpoint(
        url=url,
        model=options.model or recipe.line,
        max_tokens=options.max_tokens,
        key=_key(options.key_file) or ("" if options.url else own_key(settings)),
        timeout_seconds=SILENCE_SECONDS,
    )
    started_at = datetime.now(UTC)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    say(f"{endpoint.url}, model {endpoint.model}: warming up")
    try:
        endpoint = warm_up(endpoint, prompts)
    except EngineAway as away:
        hint = "check --url" if options.url else "`ratchet up` starts the platform, `ratchet status` shows what runs"
        raise EngineAway(f"{away}; {hint}") from away
    report = BenchReport(
        url=endpoint.url,
        model=endpoint.model,
        started_at=started_at,
        prompts=prompts.name,
        seed=options.seed,
        max_tokens=options.max_tokens,
        num_requests=options.num_requests,
        num_warm_up=NUM_WARM_UP,
        levels=measure(endpoint, prompts, asked, options.num_requests, options.seed, say),
    )
    folder = (options.out or settings.state / "bench" / f"{started_at:%Y%m%d-%H%M%S}").resolve()
    _write(folder, report)
    show(report, console)
    say(f"\nthe plot: {(folder / 'bench.html').as_uri()}\nthe numbers: {folder / 'bench.json'}")


def show(report: BenchReport, console: Console) -> None:
    table = Table(box=None, pad_edge=False, title="\nlatencies in ms: p50 / p95 / p99", title_justify="left")
    for heading in ("load", "failed", "requests/s", "tokens/s", "tokens each", "first token", "between", "answer"):
        table.add_column(heading, justify="left" if heading == "load" else "right", no_wrap=True)
    for result in report.levels:
        table.add_row(result.level.name, *_cells(result))
    console.print(table)
    for result in report.levels:
        for problem in result.found.problems[:3]:
            line = f"{result.level.name}: {problem.num_requests} failed: {problem.reason}"
            console.print(line, markup=False, soft_wrap=True, style="red")
    for note in report.notes:
        console.print(note, markup=False, soft_wrap=True, style="dim")


def _cells(result: LevelResult) -> list[str]:
    found = result.found
    num_whole = found.num_requests - found.num_failed
    return [
        f"{found.num_failed} of {found.num_requests}",
        f"{found.requests_per_second:.3g}",
        f"{found.tokens_per_second:,.0f}",
        f"{found.num_tokens / num_whole:.1f}" if num_whole else "–",
        *(_three(of) for of in (found.ttft_ms, found.inter_token_ms, found.answer_ms)),
    ]


def _three(of: Percentiles) -> str:
    return " / ".join(map(readable_ms, (of.p50, of.p95, of.p99)))


def _prompts(options: argparse.Namespace, num_levels: int) -> Prompts:
    if options.prompts:
        return from_file(options.prompts)
    return built_in(NUM_WARM_UP + num_levels * options.num_requests, options.seed)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TerminalError(f"--url {url!r}: expected an address like http://127.0.0.1:8700/v1")
    if parts.username or parts.password:
        raise TerminalError("--url holds a user or a password: give a key with --key-file, not on the command line")
    return url.rstrip("/").removesuffix("/chat/completions")


def _key(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        key = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TerminalError(f"--key-file {path}: cannot be read: {error}") from error
    if not key or any(letter.isspace() for letter in key):
        raise TerminalError(f"--key-file {path}: expected one word, the key, got {len(key.split())}")
    return key


def _write(folder: Path, report: BenchReport) -> None:
    try:
        replace_file(folder / "bench.json", (report.model_dump_json(indent=1) + "\n").encode())
        replace_file(folder / "bench.html", render(report))
    except OSError as error:
        raise TerminalError(f"--out {folder}: cannot be written: {error}") from error


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"expected 1 or more, got {number}")
    return number
