"""From an answer that somebody complains about to the model, the data and the rows behind it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratchet.cli.release import find_report
from ratchet.clients.cluster import Absent
from ratchet.clients.json_lines import find_last, newest_first, parsed
from ratchet.clients.routes import FEEDBACK_PATH
from ratchet.clients.world import World
from ratchet.core.datasets import DatasetVersion
from ratchet.core.errors import TerminalError
from ratchet.core.feedback import request_id_of
from ratchet.core.refs import FileRef, FolderRef, blob_key
from ratchet.core.releases import LedgerEvent, production_history
from ratchet.recipes.recipe import Recipe
from ratchet.sight import edge_pods

# More than a node keeps of a container by default (10 MiB).
NUM_LOG_LINES = 50_000


class Untraceable(TerminalError, LookupError):
    """Nothing here knows the answer, or the release."""

    code = "REFUSED"


@dataclass(frozen=True)
class Origin:
    """`request` is the answer's line of the edge's access log; None where a release was named instead."""

    request: dict[str, Any] | None
    event: LedgerEvent
    version: DatasetVersion | None
    adapter: FolderRef | None
    base: FolderRef | None
    train: FileRef | None


def trace(world: World, recipe: Recipe, asked: str) -> Origin:
    """`asked`: an answer's id or its request's, or a release's id.

    Raises:
        Untraceable: with where was looked.
    """
    events = world.ledger(recipe.line).events()
    # The event by which it first went live: a roll-back's says less.
    releases = {entry.release_id: events[entry.seq] for entry in reversed(production_history(events))}
    request = None
    if asked not in releases:
        request = _request(world, recipe.line, asked)
    release_id = str(request["release"]) if request else asked
    if release_id not in releases:
        raise Untraceable(
            f"{asked} was answered by {release_id!r}, which is no release of {recipe.line}: it did not come to a model "
            f"(status {(request or {}).get('status')}), or another line answered it"
        )
    event = releases[release_id]
    versions = world.datasets(recipe.dataset).records()
    version = next((one for one in versions if one.rows.sha256 == event.dataset_sha256), None)
    if event.kind == "bootstrap":
        return Origin(request, event, None, None, event.model, None)
    evidence = json.loads(world.store.read_bytes(find_report(world.store, release_id).outputs.record))["evidence"]
    adapter, base = (FolderRef(**ref) for ref in (evidence["adapter"], evidence["origin"]["base"]))
    return Origin(request, event, version, adapter, base, FileRef(**evidence["train"]))


def _request(world: World, line: str, asked: str) -> dict[str, Any]:
    """The newest line about it."""
    request_id = request_id_of(asked)
    if world.settings.runtime == "kubernetes":
        found, where = _in_pods(world, line, request_id), "what is kept of the logs of the edge's pods"
    else:
        logs = world.settings.state / "logs"
        found = find_last(newest_first(logs.glob("access.log*")), "request_id", request_id, _is_answer)
        where = f"{logs}/access.log and the older ones beside it"
    if found:
        return found
    raise Untraceable(
        f"{asked} is neither a release nor in {where}: an answer's id is in its body (`id`), a request's in the header "
        "x-request-id; the header x-model-release names the release itself"
    )


def _in_pods(world: World, line: str, request_id: str) -> dict[str, Any] | None:
    for pod in edge_pods.pods(world, line):
        for told in map(parsed, reversed(_logged(world, pod).split("\n"))):
            if told.get("request_id") == request_id and _is_answer(told):
                return told
    return None


def _logged(world: World, pod: dict[str, Any]) -> str:
    """Nothing, of a pod whose edge has not begun, or that was replaced meanwhile."""
    edges = (one for one in pod["status"].get("containerStatuses", ()) if one["name"] == "edge")
    if not any(one["restartCount"] or "waiting" not in one["state"] for one in edges):
        return ""
    try:
        return world.cluster.log(pod["metadata"]["name"], "edge", NUM_LOG_LINES)
    except Absent:
        return ""


def _is_answer(told: dict[str, Any]) -> bool:
    """What somebody says of an answer may come under the same request's id."""
    return bool(told["path"] != FEEDBACK_PATH)


def show(origin: Origin, console: Console) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for what, told in _told(origin):
        table.add_row(Text(what, style="bold"), Text(told))
    console.print(table)


def _told(origin: Origin) -> Iterator[tuple[str, str]]:
    event, request = origin.event, origin.request
    if request:
        yield "answer", f"{request['at']}  {request['method']} {request['path']}  status {request['status']}"
        yield "", f"{request['completion_tokens']} tokens in {request['ms_to_end']} ms, by {request['colour']}"
        if request.get("trace"):
            yield "trace", str(request["trace"])
    yield "release", f"{event.release_id}: {event.kind} {event.at:%Y-%m-%d %H:%M} UTC by {event.by}"
    yield "model", f"{event.model.sha256[:12]}, {event.model.bytes} bytes"
    if event.kind == "bootstrap":
        yield "data", "none of yours: it is the untuned base"
        return
    if origin.adapter and origin.base:
        yield "adapter", f"{origin.adapter.sha256[:12]} on base {origin.base.sha256[:12]}"
    if version := origin.version:
        yield (
            "data",
            f"{version.dataset}, version {version.seq}: {version.num_rows} rows, {version.kind} by {version.by}",
        )
        yield (
            "",
            f"{version.file_name or 'no file'}; {version.note or 'no note'}; {len(version.uploads)} uploads in all",
        )
    elif event.dataset_sha256:
        yield "data", f"{event.dataset_sha256[:12]}, which is in no version's record any more"
    if origin.train:
        yield "rows", f"{blob_key(origin.train.sha256)} in the store: what it was trained on, row by row"
    yield "report", f"ratchet report {event.release_id}"
