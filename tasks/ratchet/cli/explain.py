"""`ratchet explain`: what a failure means, whether it can wait, and what to type."""

from rich.console import Console

from ratchet.clients import manifests
from ratchet.clients.store import Store
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.failures import Failure, failures
from ratchet.core.memo import ErrorRecord

NUM_TRACEBACK_LINES = 8


def explain(store: Store, what: str | None, console: Console) -> None:
    """`what` is a code, or a run whose newest failure is meant; nothing means the newest of all.

    Raises:
        TerminalError: no such code, and no failure of such a run.
        NothingToDo: no failure at all.
    """
    if what in failures():
        tell(failures()[what], console)
        return
    record = manifests.last_failure(store, what)
    if record is None and what is None:
        raise NothingToDo("no step has failed yet")
    if record is None:
        raise TerminalError(f"{what}: expected a run with a failed step, or one of the codes {', '.join(failures())}")
    said(record, console)
    if record.code in failures():
        tell(failures()[record.code], console)


def tell(failure: Failure, console: Console) -> None:
    rows = (
        ("cause", failure.cause),
        ("is doing nothing safe?", failure.waiting),
        ("what to do", failure.do),
        ("read on", f"docs/{failure.see}" if failure.see else ""),
    )
    console.print(f"{failure.code}: {failure.title}", style="bold", markup=False, soft_wrap=True)
    for word, text in rows:
        if text:
            console.print(f"  {word}: {text}", markup=False, soft_wrap=True)


def said(record: ErrorRecord, console: Console) -> None:
    """Which attempt failed, with its own words."""
    console.print(
        f"{record.step}, attempt {record.attempt} of {record.run_id}, {record.at:%Y-%m-%d %H:%M} UTC, exit code "
        f"{record.exit_code}\n  {record.error}: {record.message}",
        markup=False,
        soft_wrap=True,
    )
    for line in (record.traceback or "").splitlines()[-NUM_TRACEBACK_LINES:]:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print()
