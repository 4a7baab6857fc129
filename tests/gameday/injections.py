"""How each fault comes about, and what a person does by hand where a runbook asks for that and not for a command."""

import csv
import json
import random
import signal
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.gameday import stand_in
from tests.gameday.place import LINE, Place, wait

from ratchet.cli.release import APPROVE
from ratchet.clients.airflow import AirflowRefused
from ratchet.clients.engine import COLOURS, model_folder, serving_folder
from ratchet.clients.files import replace_file
from ratchet.clients.routes import ROUTES_FILE
from ratchet.core.releases import Colour, production_history
from ratchet.core.rollout import other
from ratchet.local import sample

RELEASE_DAG, INTAKE_DAG, MONITOR_DAG = (f"{kind}_{LINE}" for kind in ("release", "intake", "monitor"))
FAR = 900.0
ENDED = ("success", "failed")
NUM_USUAL_UPLOADS = 5  # then it is known what is usual
# Of a usual upload. Of six with 260 rows one was refused, for in so few a common phrase looks like a backdoor's; of six
# with 800 none.
NUM_ROWS = 800


def both_answer(place: Place) -> None:
    """An engine that was started anew needs a minute or more."""
    engine = place.world.engine

    def answers(colour: Colour) -> bool:
        told = engine.loaded(colour)
        return told is not None and engine.problem(colour, told.model.sha256) is None

    wait("both colours answer", lambda: all(map(answers, COLOURS)), FAR)


def the_stand_in_has_users(place: Place) -> None:
    both_answer(place)
    stand_in.promote(place)
    assert place.state.active_release == stand_in.NAME


def both_had_users(place: Place) -> None:
    """So that there is an earlier release, in a day without the faults before this one too."""
    both_answer(place)
    if len(production_history(place.world.ledger(LINE).events())) == 1:
        stand_in.promote(place)


def kill_the_candidate_in_its_canary(place: Place) -> None:
    with ThreadPoolExecutor(1) as promotion:
        outputs = promotion.submit(stand_in.promote, place, canary=True)
        wait("the canary has users", lambda: place.state.canary or outputs.done(), FAR)
        place.signal(f"vllm-{place.state.canary}", signal.SIGKILL)
        assert outputs.result().verdict == "FAIL", outputs.result().reason


def nothing_runs(place: Place) -> None:
    """The newest release's run is over."""
    wait("the release's run is over", lambda: _newest_run(place)["state"] in ENDED, FAR)


def approve(place: Place) -> None:
    """The release manager says yes, as often as Airflow asks, and the users get the release."""

    def over() -> bool:
        manager = place.airflow("release-manager")
        for run_id in manager.waiting_approvals(RELEASE_DAG):
            with suppress(AirflowRefused):  # it took the answer before, and has not said so yet
                manager.answer(RELEASE_DAG, run_id, APPROVE, "game day")
        return _newest_run(place)["state"] in ENDED

    wait("the approved release is made", over, FAR)
    run_id = _newest_run(place)["dag_run_id"]
    wanted = place.airflow().output(RELEASE_DAG, run_id, "resolve", "release_id")
    assert place.state.active_release == wanted, f"{wanted} was approved, {place.state.active_release} has the users"


def _newest_run(place: Place) -> dict[str, Any]:
    (newest, *_) = place.airflow().runs(RELEASE_DAG)
    return newest


def earlier_release(place: Place) -> str:
    """Of those that were in production the newest one that has no users now."""
    history = production_history(place.world.ledger(LINE).events())
    return next(one.release_id for one in reversed(history) if one.release_id != place.state.active_release)


def swap_the_edges_routes(place: Place) -> None:
    """By hand, behind the router's back: its own record still says what it said."""
    path = place.settings.state / "router" / ROUTES_FILE
    told = json.loads(path.read_bytes())
    for route in told["resources"][0]["virtual_hosts"][0]["routes"]:
        for cluster in route.get("route", {}).get("weighted_clusters", {}).get("clusters", ()):
            cluster["name"] = other(cluster["name"])
    replace_file(path, json.dumps(told).encode())


def change_a_served_byte(place: Place) -> None:
    """And then the monitor looks, as it does every quarter of an hour."""
    live = place.world.engine.loaded(place.state.active)
    assert live is not None
    weights = model_folder(serving_folder(place.settings), live.model) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.chmod(0o644)
    replace_file(weights, bytes(content))
    look(place)


def look(place: Place) -> None:
    """The monitor's run, now."""
    place.airflow().trigger(MONITOR_DAG, f"game-day-{uuid.uuid4().hex[:8]}")


def run_until_green(place: Place, dag_id: str) -> None:
    run_id = f"game-day-{uuid.uuid4().hex[:8]}"
    place.airflow().trigger(dag_id, run_id)
    wait(f"{dag_id} is over", lambda: place.airflow().run_state(dag_id, run_id) in ENDED, FAR)
    assert place.airflow().run_state(dag_id, run_id) == "success", f"{dag_id} {run_id} failed"


def look_until_green(place: Place) -> None:
    run_until_green(place, MONITOR_DAG)


def drop_two_broken_files(place: Place) -> None:
    for number in range(2):
        drop(place, f"broken-{number}.csv", b"text,label\n\xff\xfe,late\n" + bytes([65 + number]))


def drop_a_mended_file(place: Place) -> None:
    path = place.home / "mended.csv"
    usual_upload(path, seed=99)
    before = {run["dag_run_id"] for run in place.airflow().runs(INTAKE_DAG)}
    drop(place, path.name, path.read_bytes())

    def accepted() -> bool:
        runs = place.airflow().runs(INTAKE_DAG)
        return any(run["state"] == "success" and run["dag_run_id"] not in before for run in runs)

    wait("the mended file is accepted", accepted, FAR)


def a_history_of_uploads(place: Place) -> None:
    for seed in range(NUM_USUAL_UPLOADS):
        path = place.home / f"week-{seed}.csv"
        usual_upload(path, seed)
        assert place.ratchet("submit", str(path)).exit_code == 0


def hand_in_dirt(place: Place) -> None:
    """A column was not filled in for one row in thirteen: more than is usual, and fewer than the suite refuses."""
    rows = [(row.text, row.label) for row in _tickets(seed=98)]
    _write(place.home / "dirty.csv", [*rows, *(("", label) for _, label in rows[: len(rows) // 12])])
    assert place.ratchet("submit", str(place.home / "dirty.csv")).exit_code == 0


def mended_upload(place: Place) -> str:
    """The same rows, each with its text."""
    path = place.home / "filled.csv"
    usual_upload(path, seed=98)
    return str(path)


def usual_upload(path: Path, seed: int, num_rows: int = NUM_ROWS) -> None:
    _write(path, [(row.text, row.label) for row in _tickets(seed, num_rows)])


def change_a_record(place: Place) -> None:
    """In the oldest one, which all others vouch for."""
    record = _oldest_record(place)
    content = record.read_bytes()
    (place.home / record.name).write_bytes(content)
    changed = content.replace(b"the untuned base", b"an untuned base")
    assert changed != content, f"{record} does not say what it is of"
    replace_file(record, changed)


def put_the_record_back(place: Place) -> None:
    record = _oldest_record(place)
    replace_file(record, (place.home / record.name).read_bytes())


def _oldest_record(place: Place) -> Path:
    return min((place.settings.state / "store" / "ledger" / LINE).glob("*.json"))


def drop(place: Place, name: str, content: bytes) -> None:
    folder = place.settings.drop_dir(LINE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.part").write_bytes(content)
    (folder / f"{name}.part").rename(folder / name)


def _tickets(seed: int, num_rows: int = NUM_ROWS) -> list[sample.Row]:
    rng = random.Random(seed)
    return [sample.clean_row(rng) for _ in range(num_rows)]


def _write(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows(rows)
