"""The two kinds of failure, and the exit code each becomes.

RatchetError
├── TerminalError   exit 65: a retry cannot help; the input, the data or the code must change
├── TransientError  exit 75: a retry may help; a service was away, a step was told to stop
└── NothingToDo     exit 99: there is no work; the run is skipped and stays green

Subclasses live beside the code that raises them and add a builtin base (LookupError, …) where one fits. Each says by
its `code`, a row of core/failures.toml, what a person can do about it; those who would do the same share one.
A rejected model is not an error: the step ends with exit 0 and `verdict="FAIL"`.
"""

EXIT_DONE = 0
EXIT_TERMINAL = 65  # EX_DATAERR of sysexits.h
EXIT_TRANSIENT = 75  # EX_TEMPFAIL of sysexits.h
EXIT_NOTHING_TO_DO = 99  # what Airflow's own operators use for "skip"


class RatchetError(Exception):
    """Base of every failure that Ratchet foresees."""

    exit_code = EXIT_TERMINAL
    code: str


class TerminalError(RatchetError):
    """A retry cannot help. Steps raise a subclass with a code of its own; what people type wrongly is this."""

    code = "REFUSED"


class TransientError(RatchetError):
    """A retry may help."""

    exit_code = EXIT_TRANSIENT
    code = "UNAVAILABLE"


class NothingToDo(RatchetError):
    """There is no work; say why in the message."""

    exit_code = EXIT_NOTHING_TO_DO
    code = "NOTHING_TO_DO"


class Cancelled(TransientError):
    """The step was told to stop (SIGTERM, Ctrl-C) and stopped cleanly."""

    code = "STOPPED"


class NotSetUp(TerminalError, LookupError):
    """What `make setup` or `ratchet up` makes is not there."""

    code = "NOT_SET_UP"


def code_of(error: BaseException) -> str:
    """The failure's row of core/failures.toml; what nobody foresaw is a bug."""
    if isinstance(error, RatchetError):
        return error.code
    return Cancelled.code if isinstance(error, KeyboardInterrupt) else "BUG"


def exit_code_of(error: BaseException) -> int:
    if isinstance(error, RatchetError):
        return error.exit_code
    return Cancelled.exit_code if isinstance(error, KeyboardInterrupt) else EXIT_TERMINAL
