"""From nothing to a platform with a model in production: services, base model, first release, ready to answer."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from rich.console import Console

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.log import PROGRESS
from ratchet.core.readable import readable_line
from ratchet.local import base, platform
from ratchet.recipes.recipe import Recipe

READY_SECONDS = 420.0


def bring_up(settings: Settings, config: Path, recipe: Recipe, console: Console) -> None:
    """Start what is not running; train and release the base model when there is none. Safe to run again."""
    started = time.monotonic()
    world = World(settings, settings.scratch)
    fresh = platform.start(settings, config)
    console.print("starting the services" if fresh else "the services are running")
    with ThreadPoolExecutor(max_workers=1) as background:
        healthy = background.submit(platform.wait_healthy, settings)
        model = base.ensure_base(settings, world, recipe, _teller(console))
        base.bootstrap(world, recipe, model)
        healthy.result()
    wait_answering(settings, recipe, console)
    console.print(f"the platform is up after {time.monotonic() - started:.0f} s")


def wait_answering(settings: Settings, recipe: Recipe, console: Console) -> None:
    """Return when a real chat is answered through the edge."""
    console.print("waiting for the model in production to answer (vLLM takes a minute to start)")
    url = f"http://127.0.0.1:{settings.ports.edge}/v1/chat/completions"
    body = {"model": recipe.line, "messages": [{"role": "user", "content": "What is 2 + 2?"}], "max_tokens": 4}
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.post(url, json=body, timeout=30.0, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        # The supervisor starts an engine that died again, some times; then it gives up.
        gave_up = [service.name for service in platform.states(settings) if service.state in platform.ENDED]
        if gave_up:
            raise platform.NotHealthy(f"{gave_up[0]} ended; the end of its log:\n{platform.tail(settings, gave_up[0])}")
        time.sleep(1.0)
    raise platform.NotHealthy(f"no answer through {url} after {READY_SECONDS:.0f} s; see {settings.state / 'logs'}")


def _teller(console: Console) -> Callable[[str], None]:
    """Say how far the base model's training is, at most every few seconds."""
    last = 0.0

    def tell(line: str) -> None:
        nonlocal last
        if PROGRESS not in line or time.monotonic() - last > 5:
            last = time.monotonic()
            console.print(f"  base model: {readable_line(line)}", markup=False, highlight=False)

    return tell
