"""Every way to fail has a code, every code a row that says what to do, and every row somebody who fails so.

docs/failures.md is the table as a page: RECORD=1 .venv/bin/pytest tests/unit/test_failures.py
"""

import os
import re
import shlex
from pathlib import Path

import pytest
from tests.fakes.failures import GENERAL, Kind, kinds, raised, words

from ratchet.cli.parser import parser
from ratchet.core.errors import Cancelled, NotSetUp, TerminalError, code_of, exit_code_of
from ratchet.core.failures import Failure, failures, pointer

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = DOCS / "failures.md"
ROWS = list(failures().values())
# What people type, and what runs before a platform is there, fails in words of its own.
MAY_BE_GENERAL = ("cli", "local", "serving")
INTRODUCTION = """\
# When something fails: codes, and what to do

A step that fails says a code in the last line of its log, in its error record and in its closing line.
`ratchet explain` tells the newest failure and what to do, `ratchet explain RUN` that of a run,
`ratchet explain CODE` a row of this page. Exit codes say whether a retry can help: 65 no, 75 yes, 99 there is
nothing to do.

The closing line is the last of each attempt, whatever its end: the event `ended` with `step`, `key`, `run`, `attempt`,
`outcome` (done, found, skipped, stopped, failed), `exit_code`, `code`, `wall_seconds`, `peak_memory_mib`, `bytes_read`,
`bytes_written` (all that the process and its children read and wrote, caches included), and `trace_id` within a trace.

No log, manifest of the intake or error record holds what users wrote, or a secret: rows are named by number, fields
by name. What an approver has to see, such as an answer that differs from the evaluated one, is in the checks of
`stage` and `convert` and in the decision report.
"""


def by_code(row: Failure) -> str:
    return row.code


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: f"{kind.path}:{kind.name}")
def test_a_kind_of_failure_has_a_code_of_its_own_or_its_familys_and_the_table_explains_it(kind: Kind) -> None:
    assert kind.code in failures(), f"{kind.path}: give {kind.name} a `code` with a row in core/failures.toml"


@pytest.mark.parametrize("general", GENERAL)
def test_a_step_never_fails_in_general(general: str) -> None:
    where = [f"{path}:{line}" for path, line in raised(general) if path.parts[0] not in MAY_BE_GENERAL]

    assert where == []


@pytest.mark.parametrize("row", ROWS, ids=by_code)
def test_a_row_is_of_a_failure_that_happens(row: Failure) -> None:
    assert row.code in words()


def test_what_is_no_failure_of_ours_is_a_bug_and_an_interrupt_a_stop() -> None:
    assert [code_of(error) for error in (ZeroDivisionError(), KeyboardInterrupt(), NotSetUp())] == [
        *("BUG", "STOPPED", "NOT_SET_UP"),
    ]
    assert [exit_code_of(error) for error in (ZeroDivisionError(), KeyboardInterrupt(), NotSetUp(), Cancelled())] == [
        *(65, 75, 65, 75),
    ]


def test_an_error_that_is_told_on_may_keep_its_code() -> None:
    told = TerminalError("what the step said")
    told.code = "TRAIN_OOM"

    assert code_of(told) == "TRAIN_OOM"
    assert code_of(TerminalError("another")) == "REFUSED"


@pytest.mark.parametrize("row", ROWS, ids=by_code)
def test_a_row_answers_whether_it_can_wait_and_points_to_itself(row: Failure) -> None:
    assert re.match(r"(Yes|No|Nothing)\b", row.waiting)
    assert f"`ratchet explain {row.code}`" in pointer(row.code)


COMMANDS = [
    (row.code, command)
    for row in ROWS
    for command in re.findall(r"`ratchet ([^`]+)`", f"{row.do} {row.waiting} {row.cause}")
]


@pytest.mark.parametrize(("code", "command"), COMMANDS, ids=[f"{code}: {command}" for code, command in COMMANDS])
def test_what_it_says_to_type_can_be_typed(code: str, command: str) -> None:
    typed = shlex.split(command.replace("VERB --help", "status"))
    # A row may name a verb alone and leave what it asks for to its help.
    if typed == ["forget"]:
        typed += ["--match", "x", "--reason", "y"]

    assert callable(parser().parse_args(typed).verb)


@pytest.mark.parametrize("row", [row for row in ROWS if row.see], ids=by_code)
def test_where_to_read_on_is_there(row: Failure) -> None:
    page, _, heading = row.see.partition("#")
    headings = re.findall(r"^#+ (.+)$", (DOCS / page).read_text("utf-8"), re.MULTILINE)

    assert not heading or heading in map(_anchor, headings)


def test_every_make_target_and_script_it_names_is_there() -> None:
    makefile = (DOCS.parent / "Makefile").read_text("utf-8")

    for target in {target for row in ROWS for target in re.findall(r"`make ([\w-]+)`", row.do)}:
        assert f"\n{target}:" in makefile


def test_the_page_is_the_table() -> None:
    actual = "\n".join([INTRODUCTION, *map(_section, ROWS)])
    if os.environ.get("RECORD"):
        PAGE.write_text(actual, "utf-8")

    assert PAGE.read_text("utf-8") == actual


def _section(row: Failure) -> str:
    lines = [f"## {row.code}", "", f"**{row.title}.** {row.cause}", "", f"- Is doing nothing safe? {row.waiting}"]
    lines.append(f"- What to do: {row.do}")
    if row.see:
        lines.append(f"- Read on: [{row.see}]({row.see})")
    return "\n".join([*lines, ""])


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
