"""The faults of a game day, in order: each with the alert that tells it and the part of a runbook that mends it."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.gameday import injections
from tests.gameday.place import Place

Act = Callable[[Place], object]


def _nothing(_place: Place) -> None: ...


@dataclass(frozen=True)
class Fault:
    """`runbook`: the page, and `items` of its "Do this": numbers, or how a row of its table begins.

    `when` comes before, and is no part of the fault. `fills` stands for the page's words in capitals, `not_those_with`
    for alternatives that the page offers. `by_hand` is what an item asks of a person that is no command; it comes
    after the commands. `alongside`: other alerts that are right to fire too.
    `ends_by_itself`: the alert stays for hours.
    """

    name: str
    alert: str
    runbook: str
    items: tuple[int | str, ...]
    inject: Act
    when: Act = _nothing
    fills: Mapping[str, Callable[[Place], str]] = field(default_factory=dict)
    not_those_with: tuple[str, ...] = ()
    by_hand: Act = _nothing
    alongside: tuple[str, ...] = ()
    ends_by_itself: bool = False


def gives_up(service: str) -> Act:
    return lambda place: place.crash_until_it_gives_up(service)


def active_engine(number: signal.Signals) -> Act:
    return lambda place: place.signal(f"vllm-{place.state.active}", number)


EARLIER = {"RELEASE": injections.earlier_release}
# An engine needs more than a minute to start, which is longer than a hurried alert waits for its source.
WHILE_AN_ENGINE_STARTS = ("RatchetSourceDown",)

FAULTS = (
    Fault(
        "the exporter crashes until it is given up",
        *("RatchetExporterDown", "exporter-down", (1, 2)),
        inject=gives_up("exporter"),
    ),
    Fault(
        "two broken files in the drop folder",
        *("RatchetRunFails", "run-fails", (5,)),
        inject=injections.drop_two_broken_files,
        by_hand=injections.drop_a_mended_file,
    ),
    Fault(
        "MLflow crashes until it is given up",
        *("RatchetSourceDown", "source-down", (1,)),
        inject=gives_up("mlflow"),
        not_those_with=("reload",),
    ),
    Fault(
        "the edge crashes until it is given up",
        *("RatchetRequestsFail", "requests-fail", (3,)),
        inject=gives_up("envoy"),
        alongside=("RatchetSourceDown",),
    ),
    Fault(
        "the edge's routes are changed by hand",
        *("RatchetLiveDiffers", "live-differs", (1,)),
        inject=injections.swap_the_edges_routes,
    ),
    Fault(
        "Airflow's API crashes until it is given up",
        *("RatchetSourceDown", "source-down", (1,)),
        inject=gives_up("airflow-api-server"),
        not_those_with=("reload",),
    ),
    Fault(
        "the candidate's engine is killed in its canary",
        *("RatchetCanaryAborted", "canary-aborted", (1,)),
        inject=injections.kill_the_candidate_in_its_canary,
        alongside=WHILE_AN_ENGINE_STARTS,
        ends_by_itself=True,
    ),
    Fault(
        "the engine with the users is killed",
        *("RatchetRequestsFail", "requests-fail", (1,)),
        when=injections.the_stand_in_has_users,
        inject=active_engine(signal.SIGKILL),
        alongside=WHILE_AN_ENGINE_STARTS,
    ),
    Fault(
        "a record of the ledger is changed",
        *("RatchetLiveDiffers", "live-differs", (5,)),
        when=injections.both_had_users,
        inject=injections.change_a_record,
        by_hand=injections.put_the_record_back,
        alongside=("RatchetSourceDown",),  # what cannot be read is a source that is down
    ),
    Fault(
        "a byte of the served model changes on the disk",
        *("RatchetMonitorRed", "monitor", ("served files",)),
        when=injections.both_had_users,
        inject=injections.change_a_served_byte,
        fills=EARLIER,
        by_hand=injections.look_until_green,
        alongside=WHILE_AN_ENGINE_STARTS,
    ),
    Fault(
        "the engine with the users hangs, and nothing is previous",
        *("RatchetRequestsFail", "requests-fail", (2, 4)),
        when=injections.both_had_users,
        inject=active_engine(signal.SIGSTOP),
        fills=EARLIER,
        alongside=(*WHILE_AN_ENGINE_STARTS, "RatchetLiveDiffers"),  # it does not answer `ratchet verify` either
    ),
    Fault(
        "an upload with empty cells",
        *("RatchetQuarantineJumps", "quarantine-jumps", (2,)),
        when=injections.a_history_of_uploads,
        inject=injections.hand_in_dirt,
        fills={"FILE": injections.mended_upload},
        not_those_with=("--replace",),
    ),
)
