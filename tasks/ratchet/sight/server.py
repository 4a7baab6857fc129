"""One page, /metrics, on which the whole pipeline can be seen."""

import argparse
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from ratchet.clients.settings import Settings
from ratchet.core.errors import TerminalError
from ratchet.core.log import log
from ratchet.recipes.recipe import Recipe
from ratchet.sight.collector import PipelineCollector, Source
from ratchet.sight.sources import sources


class PortTaken(TerminalError, OSError):
    """Somebody else listens where the exporter would."""

    code = "SETTINGS_INVALID"


@contextmanager
def serving(sources: Sequence[Source], host: str, port: int) -> Iterator[int]:
    """Answer until the end of the block; the port, which 0 leaves to the machine. Raises PortTaken."""
    registry = CollectorRegistry()
    registry.register(PipelineCollector(sources))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}; stop what listens there, or choose another port for "
            "exporter under [ports] in ratchet.toml"
        ) from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(settings: Settings, recipe: Recipe, options: argparse.Namespace) -> None:
    """Serve until it is told to stop. Raises PortTaken."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    told = [source for source in sources(settings, recipe) if source.name in options.only]
    port = settings.ports.exporter if options.port is None else options.port
    with serving(told, options.host, port) as taken:
        log.info("metrics", extra={"url": f"http://{options.host}:{taken}/metrics"})
        stop.wait()
