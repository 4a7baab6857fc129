"""The watcher of the drop folder: each file that stands still gets its run of the DAG intake_<line>.

One small process that looks every few seconds, where a DAG on a short schedule would cost a task, and a run in
Airflow's history, every minute. It starts runs in the way that is open to everybody: Airflow's REST API.
"""

import time
from typing import Protocol

from ratchet.clients.airflow import Airflow, RunThere
from ratchet.clients.settings import LOOPBACK, load
from ratchet.clients.world import World
from ratchet.core import log as logs
from ratchet.core.errors import RatchetError
from ratchet.core.log import log
from ratchet.intake.drop import Drop, Dropped, drop_of, unchanged
from ratchet.recipes.catalogue import load_recipe

# A file is taken when two looks see the same size and time of change: a copy that stalls for longer needs another name
# until it is whole (drop.UNFINISHED), or to be written elsewhere and renamed.
LOOK_SECONDS = 10.0
BY = "drop folder"


class Triggers(Protocol):
    """What the watcher asks of Airflow."""

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, object]) -> None: ...


class Watcher:
    """Remembers what it saw and what it has told Airflow. After a restart the runs' names say what was told."""

    def __init__(self, drop: Drop, airflow: Triggers, dag_id: str) -> None:
        self._drop = drop
        self._airflow = airflow
        self._dag_id = dag_id
        self._seen: list[Dropped] = []
        self._told: set[Dropped] = set()

    def look(self) -> None:
        """One look. What fails is told and tried again at the next one."""
        try:
            now = self._drop.waiting()
        except (RatchetError, OSError) as error:
            log.warning("cannot look into the drop folder now", extra={"where": self._drop.where, "reason": str(error)})
            return
        for dropped in unchanged(self._seen, now):
            if dropped not in self._told:
                self._tell(dropped)
        self._seen, self._told = now, self._told & set(now)

    def _tell(self, dropped: Dropped) -> None:
        told = {"file": dropped.name, "dag": self._dag_id}
        try:
            self._airflow.trigger(self._dag_id, f"drop-{dropped.mark}", {"file": dropped.name, "by": BY})
        except RunThere:
            log.info("has its run already", extra=told)
        except RatchetError as error:
            log.warning("cannot be handed to the intake now", extra={**told, "reason": str(error)})
            return
        else:
            log.info("handed to the intake", extra=told)
        self._told.add(dropped)


def main() -> None:
    logs.configure(for_people=True)
    settings = load()
    line = load_recipe(settings.recipe, settings.root).line
    airflow = Airflow(
        f"http://{LOOPBACK}:{settings.ports.airflow}", "engineer", settings.secrets / "airflow_passwords.json"
    )
    drop = drop_of(World(settings, settings.scratch), line)
    if settings.store.kind == "local":
        settings.drop_dir(line).mkdir(mode=0o700, parents=True, exist_ok=True)
    log.info("looking for files", extra={"where": drop.where})
    watcher = Watcher(drop, airflow, f"intake_{line}")
    while True:
        watcher.look()
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
