"""What it costs to be seen: users' requests and steps, with traces and metrics and without, in turn.

    make bench-sight [PAIRS=2000] [ROUNDS=30]       # prints the table of docs/sight.md

Requests: one real vLLM behind two real edges, one of which tells a collector of each request. A client asks through
both in turn, one answer after the other; and every 15 s of the time that it waits for the edge that tells, the exporter
is read, during answers of that edge alone. Steps: validate, prepare and gate as the operator starts them, on little
data, one after the other; with a trace and a collector, and with neither (sight_steps.py).
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
from tests.benchmarks.paired import HEADER, Measured, Pair, say
from tests.benchmarks.sight_steps import STEPS, steps
from tests.fakes.collector import collecting
from tests.steps.serving.conftest import ROOT, Serving, free_ports, started, wait
from tests.steps.serving.models import PROMPTS

from ratchet.clients.router import EnvoyRouter
from ratchet.clients.streaming import Endpoint, stream_chat, user_says
from ratchet.core.latency import Timing
from ratchet.local import edge
from ratchet.sight.arguments import BESIDE_AIRFLOW, NAMES

NUM_TOKENS = 16
READ_SECONDS = 15.0  # as docs/prometheus.yml says
NUM_WARM_UP = 20
START_SECONDS = 1200.0  # of vLLM, on a machine that does other things too
# Neither is here; MLflow has no server here.
NOT_HERE = {*BESIDE_AIRFLOW, "registry"}


def requests(serving: Serving, collector: str, num_pairs: int) -> Iterator[Measured]:
    """Answers through both edges in turn; each is of the same prompt as its other."""
    pairs: list[tuple[Timing, Timing]] = []
    with an_edge(serving, collector) as telling, an_edge(serving, "") as silent, exporter(serving) as page:
        edges = {
            seen: Endpoint(f"{url}/v1", "support", NUM_TOKENS, exactly=True)
            for seen, url in ((True, telling), (False, silent))
        }
        unread_seconds = 0.0
        while len(pairs) < num_pairs + NUM_WARM_UP:
            if unread_seconds >= READ_SECONDS:
                pairs += read_while_asking(edges, page, len(pairs))
                unread_seconds = 0.0
            else:
                pairs.append(asked(edges, len(pairs)))
                unread_seconds += pairs[-1][0].answer_ms / 1000
            if len(pairs) % 100 == 0:
                say(f"requests, {len(pairs)} of {num_pairs} pairs")
    measured = pairs[NUM_WARM_UP:]
    yield Measured(
        f"a streamed answer of {NUM_TOKENS} tokens", "ms", [Pair(s.answer_ms, u.answer_ms) for s, u in measured]
    )
    yield Measured("its first token", "ms", [Pair(s.ttft_ms, u.ttft_ms) for s, u in measured])


def asked(edges: Mapping[bool, Endpoint], number: int) -> tuple[Timing, Timing]:
    """Seen, then unseen, whichever was asked first."""
    order = (True, False) if number % 2 else (False, True)
    took = {seen: ask(edges[seen], number) for seen in order}
    return took[True], took[False]


def read_while_asking(edges: Mapping[bool, Endpoint], page: str, number: int) -> list[tuple[Timing, Timing]]:
    """Seen answers until the exporter has been read, by another process, as by Prometheus; then as many unseen ones."""
    code = f"import urllib.request; print(len(urllib.request.urlopen({page!r}, timeout=60).read()))"
    seen = []
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.DEVNULL) as reading:
        while reading.poll() is None:
            seen.append(ask(edges[True], number + len(seen)))
    assert reading.returncode == 0, "the exporter did not answer"
    return [(timing, ask(edges[False], number + index)) for index, timing in enumerate(seen)]


def ask(endpoint: Endpoint, number: int) -> Timing:
    return stream_chat(endpoint, user_says(PROMPTS[number % len(PROMPTS)]))


@contextmanager
def an_edge(serving: Serving, collector: str) -> Iterator[str]:
    """Another edge before the same engine, which tells that collector of its requests, or nobody; its URL."""
    ports = serving.settings.ports.model_copy(update=free_ports("edge", "edge_admin"))
    traces = serving.settings.traces.model_copy(update={"otlp_endpoint": collector})
    changed = {"ports": ports, "traces": traces, "state_dir": Path("telling" if collector else "silent")}
    settings = serving.settings.model_copy(update=changed)
    state = serving.world.router.read()
    assert state is not None
    edge.write(settings)
    router = EnvoyRouter(settings.state / "router", ports)
    router.write(state, None)
    with running(edge.command(settings), f"{router.url()}/health"):
        yield router.url()


@contextmanager
def exporter(serving: Serving) -> Iterator[str]:
    """The page that Prometheus reads, of everything that is here."""
    port = free_ports("exporter")["exporter"]
    told = [name for name in NAMES if name not in NOT_HERE]
    command = [sys.executable, "-m", "ratchet.sight", "--port", str(port), "--only", *told]
    config = serving.folder / "exporter.toml"  # the recipe's files are the project's
    places = f'root = "{ROOT}"\nstate_dir = "{serving.settings.state}"\n'
    config.write_text(places + serving.config.read_text())
    with running(command, f"http://127.0.0.1:{port}/metrics", RATCHET_CONFIG=str(config)) as page:
        yield page


@contextmanager
def running(command: Sequence[str], page: str, **variables: str) -> Iterator[str]:
    """Once `page` is answered."""
    quiet = subprocess.DEVNULL
    environment = {**os.environ, **variables}
    # As the platform starts all of them: a session of its own has a share of the cores of its own.
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        try:
            wait(lambda: process.poll() is not None or answers(page), 300)
            assert process.poll() is None, f"{' '.join(command)} ended with {process.returncode}"
            yield page
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10.0).is_success
    except httpx.TransportError:
        return False


@contextmanager
def collector_process() -> Iterator[tuple[str, Connection]]:
    """A collector's stand-in as a process of its own: its URL, and who says at the end how many spans came."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_collect, args=(there,))
    process.start()
    try:
        yield here.recv(), here
    finally:
        process.terminate()
        process.join()


def _collect(asked: Connection) -> None:
    with collecting() as collector:
        asked.send(collector.url)
        while True:
            asked.recv()
            asked.send(len(collector.spans()))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000, help="of requests; 0 for none")
    parser.add_argument("--rounds", type=int, default=30, help="of steps; 0 for none")
    parser.add_argument("--steps", nargs="+", default=STEPS, choices=STEPS)
    options = parser.parse_args(arguments)
    found: list[Measured] = []
    with collector_process() as (url, asked):
        if options.rounds:
            with tempfile.TemporaryDirectory() as folder:
                found += steps(Serving(Path(folder)), url, options.steps, options.rounds)
        if options.pairs:
            with started(START_SECONDS) as serving:
                found += requests(serving, url, options.pairs)
        asked.send("how many?")
        say(f"{asked.recv()} spans came to the collector")
    print(HEADER)
    for measured in found:
        print(measured.row())
    return 0


if __name__ == "__main__":
    sys.exit(main())
