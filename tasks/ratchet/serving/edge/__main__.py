"""The edge's pod (helm/serving, edge.enabled): Envoy before the users' Service, with the laptop's keys, limits and log.

python -m ratchet.serving.edge --users 0.0.0.0:8000 --admin 127.0.0.1:8709 --counts 0.0.0.0:8711 \
  --upstream support.ratchet.svc:8000 --drain-seconds 120
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from ratchet.clients.edge_keys import FILE, BrokenKeys, read_keys
from ratchet.clients.files import replace_file
from ratchet.clients.http import http_client
from ratchet.clients.settings import Settings, load
from ratchet.core import log as logs
from ratchet.core.errors import RatchetError, TerminalError
from ratchet.core.log import log
from ratchet.serving.edge.bootstrap import envoy
from ratchet.serving.edge.keys import KEYS_FILE, write_keys
from ratchet.serving.edge.pod import Place, Places, pod_config
from ratchet.serving.edge.tell import Teller

POLL_SECONDS = 1.0
ADMIN_SECONDS = 5.0


class NoKeys(TerminalError, LookupError):
    """On a cluster nobody is let in by the mere absence of a file."""

    code = "SERVE_STATE_BROKEN"


def main(arguments: list[str]) -> int:
    logs.configure()
    options = _parser().parse_args(arguments)
    try:
        return run(load(), options)
    except RatchetError as error:
        log.error(str(error), extra={"exit_code": error.exit_code})
        return error.exit_code


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Envoy's exit code. Raises NoKeys, BrokenKeys before it is started."""
    folder = settings.state / "edge"
    keys = keys_of(settings)
    write_keys(folder / KEYS_FILE, keys)
    places = Places(options.users, options.admin, options.upstream, options.counts, options.feedback)
    config = pod_config(settings, folder, places)
    replace_file(folder / "envoy.json", json.dumps(config, indent=1).encode())
    told_to_stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: told_to_stop.append(received))
    command = envoy(Path(sys.executable), folder / "envoy.json")
    log_goes = subprocess.PIPE if places.feedback else None
    with subprocess.Popen(command, stdout=log_goes, start_new_session=True) as process:
        teller = Teller(places.feedback, process.stdout) if places.feedback and process.stdout else None
        while process.poll() is None and not told_to_stop:
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
            keys = follow(settings, folder, keys)
        drain(options.admin, options.drain_seconds)
        process.terminate()
        process.wait()
        if teller:
            teller.finish()
    return process.returncode


def keys_of(settings: Settings) -> dict[str, str]:
    found = read_keys(settings)
    if found is None:
        raise NoKeys(
            f"{settings.secrets / FILE} is not there: put it into the Secret that the chart names (docs/edge.md)"
        )
    return found


def follow(settings: Settings, folder: Path, known: dict[str, str]) -> dict[str, str]:
    """Kubernetes replaces a Secret's file under the pod. One that is broken changes nothing."""
    try:
        found = keys_of(settings)
    except (NoKeys, BrokenKeys) as error:
        log.error(str(error), extra={"meanwhile": "the keys as they were"})
        return known
    if found != known:
        write_keys(folder / KEYS_FILE, found)
        log.info("the edge took the keys", extra={"names": sorted(found)})
    return found


def drain(admin: Place, seconds: float) -> None:
    """No new connections; wait for what is under way."""
    import httpx

    page = f"http://{admin.host}:{admin.port}"
    deadline = time.monotonic() + seconds
    log.info("draining", extra={"at_most_seconds": seconds})
    with suppress(httpx.HTTPError):  # Envoy itself is gone
        http_client().post(f"{page}/drain_listeners?graceful&skip_exit", timeout=ADMIN_SECONDS)
        while time.monotonic() < deadline and _num_under_way(page):
            time.sleep(POLL_SECONDS)


def _num_under_way(page: str) -> int:
    """Envoy's gauge of users' requests: "http.users.downstream_rq_active: 3"."""
    asked = {"filter": r"^http\.users\.downstream_rq_active$"}
    return int(http_client().get(f"{page}/stats", params=asked, timeout=ADMIN_SECONDS).text.rpartition(":")[2])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ratchet.serving.edge")
    for name in ("users", "admin", "upstream"):
        parser.add_argument(f"--{name}", type=Place.parse, required=True, metavar="HOST:PORT")
    parser.add_argument("--counts", type=Place.parse, metavar="HOST:PORT", help="where to show what is counted")
    parser.add_argument("--feedback", type=Place.parse, metavar="HOST:PORT", help="the service that takes it")
    parser.add_argument("--drain-seconds", type=float, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
