"""`ratchet feedback`: what applications said of answers; a person decides what of it the next model learns."""

import getpass
from argparse import Namespace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from ratchet.cli.here import Here
from ratchet.cli.submit import Upload, submit, tell_next
from ratchet.core.chat import without_prompt
from ratchet.core.errors import NothingToDo
from ratchet.core.feedback import Feedback
from ratchet.core.readable import printable
from ratchet.intake.feedback import Desk
from ratchet.intake.versions import Added
from ratchet.serving.feedback.store_inbox import inbox_of_line

_HEADINGS = ("id", "release", "rating", "question", "answered", "corrected", "comment")
_SHOWN = 40


def list_waiting(here: Here, _options: Namespace) -> None:
    """A line each, oldest first. Raises NothingToDo."""
    waiting = _desk(here).waiting()
    if not waiting:
        raise NothingToDo("no feedback waits for a review")
    table = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=heading in _HEADINGS[:3])
    for one in waiting:
        table.add_row(*(Text(_short(text)) for text in _cells(one, here.recipe.prompt)))
    here.console.print(table)
    here.console.print(
        "whole: `ratchet feedback show ID`; into the next data set: `ratchet feedback accept ID…`", soft_wrap=True
    )


def show(here: Here, options: Namespace) -> None:
    (found,) = _desk(here).find([options.id])
    for name, told in found.model_dump(mode="json").items():
        if told is not None:
            lines = "\n".join(map(printable, str(told).splitlines()))
            here.console.print(Text.assemble((f"{name:<12}", "bold"), lines), soft_wrap=True)


def accept(here: Here, options: Namespace) -> None:
    def hand_in(path: Path, note: str) -> Added:
        upload = Upload(path, note=note, reviewed=True)
        return submit(here.settings, here.config, here.recipe, upload, here.console)

    for handed_in in _desk(here).accept(options.ids, options.label, hand_in):
        tell_next(here.recipe, handed_in.result, handed_in.path.name, here.console)


def reject(here: Here, options: Namespace) -> None:
    _desk(here).reject(options.ids, options.reason)
    here.console.print(f"rejected {', '.join(options.ids)}")


def _desk(here: Here) -> Desk:
    world = here.world
    return Desk(world, here.recipe, inbox_of_line(world, here.recipe.line), getpass.getuser())


def _cells(feedback: Feedback, prompt: str) -> list[str]:
    question = without_prompt(feedback.question, prompt) if feedback.question else None
    told = {**feedback.model_dump(), "question": question}
    return [told[heading] or "" for heading in _HEADINGS]


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
