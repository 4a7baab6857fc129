"""From nothing to a platform with a model in production: services, base model, first release, ready to answer."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from ratchet.clients.edge_keys import own_key
from ratchet.clients.openai import bearer
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.log import PROGRESS
from ratchet.core.readable import readable_line
from ratchet.local import base, platform
from ratchet.recipes.recipe import Recipe

READY_SECONDS = 420.0
CLUSTER_READY_SECONDS = 1200.0  # a node may have to pull the image first


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
    if settings.runtime == "kubernetes":
        wait_ready_on_cluster(world, console)
    else:
        wait_answering(settings, world, recipe, console)
    console.print(f"the platform is up after {time.monotonic() - started:.0f} s")


def wait_answering(settings: Settings, world: World, recipe: Recipe, console: Console) -> None:
    """Return when a real chat is answered through the edge, which counts: it is asked once the engine is up."""
    console.print("waiting for the model in production to answer (vLLM takes a minute to start)")
    url = f"{settings.users_url}/v1/chat/completions"
    body = {"model": recipe.line, "messages": [{"role": "user", "content": "What is 2 + 2?"}], "max_tokens": 4}
    asked: dict[str, Any] = {"json": body, "headers": bearer(own_key(settings)), "timeout": 30.0, "trust_env": False}
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if _is_up(world) and _is_ok(httpx.post(url, **asked)):
                return
        except httpx.HTTPError:
            pass
        # The supervisor starts an engine that died again, some times; then it gives up.
        gave_up = [service.name for service in platform.states(settings) if service.state in platform.ENDED]
        if gave_up:
            raise platform.NotHealthy(f"{gave_up[0]} ended; the end of its log:\n{platform.tail(settings, gave_up[0])}")
        time.sleep(1.0)
    raise platform.NotHealthy(f"no answer through {url} after {READY_SECONDS:.0f} s; see {settings.state / 'logs'}")


def _is_up(world: World) -> bool:
    """Does the active colour's engine listen, whatever it serves?"""
    state = world.router.read()
    return state is not None and _is_ok(
        httpx.get(f"{world.engine.url(state.active)}/health", timeout=5.0, trust_env=False)
    )


def _is_ok(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.OK


def wait_ready_on_cluster(world: World, console: Console) -> None:
    """Return when the pods with the users have generated a token: the users' address may not be reached from here."""
    state = world.router.read()
    if state is None:
        raise platform.NotHealthy(
            "nothing is in production on the cluster, although it was just released; run it again"
        )
    console.print(f"waiting for the pods of {state.active} to answer")
    deadline = time.monotonic() + CLUSTER_READY_SECONDS
    while problem := world.engine.problem(state.active, state.active_model):
        if failure := world.engine.failure(state.active):
            raise platform.NotHealthy(f"{state.active} does not come up: {failure}")
        if time.monotonic() > deadline:
            raise platform.NotHealthy(f"{state.active} is not ready after {CLUSTER_READY_SECONDS:.0f} s: {problem}")
        time.sleep(2.0)


def _teller(console: Console) -> Callable[[str], None]:
    """Say how far the base model's training is, at most every few seconds."""
    last = 0.0

    def tell(line: str) -> None:
        nonlocal last
        if PROGRESS not in line or time.monotonic() - last > 5:
            last = time.monotonic()
            console.print(f"  base model: {readable_line(line)}", markup=False, highlight=False)

    return tell
