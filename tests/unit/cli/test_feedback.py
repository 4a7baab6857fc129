"""What a reviewer reads of feedback, and what an accepted one is handed in as."""

import io
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.fakes.events import event

from ratchet.cli import feedback
from ratchet.cli.here import Here
from ratchet.cli.parser import parser
from ratchet.cli.submit import Upload
from ratchet.clients.settings import Settings
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.feedback import SentFeedback, kept_of
from ratchet.intake.feedback import NotWaiting
from ratchet.serving.feedback.inbox import inbox_of

ROOT = Path(__file__).parents[3]
LINE = {"request_id": "id-1", "key": "mia", "release": "b", "colour": "green", "at": "2026-01-05T11:00:00Z"}


@pytest.fixture
def here(tmp_path: Path) -> Here:
    console = Console(file=io.StringIO(), width=200, highlight=False)
    made = Here(Settings(root=ROOT, state_dir=tmp_path / "state"), ROOT / "ratchet.toml", "support", console)
    for one in (event("bootstrap", "a"), event("approved", "b")):
        made.world.ledger("support").append(lambda _, one=one: one)
    return made


def send(here: Here, **fields: str) -> str:
    sent = SentFeedback.model_validate({"answer": "x", "rating": "down", **fields})
    kept = kept_of(sent, LINE, {"prompt": "not shown", "answer": ["top_up"]}, datetime.now(UTC))
    inbox_of(here.settings).keep(kept)
    return kept.id


def told(here: Here) -> str:
    return here.console.file.getvalue()  # type: ignore[attr-defined]


def test_what_waits_is_a_line_each_and_moves_no_cursor(here: Here) -> None:
    said = send(
        here, corrected="refund", question=f"Give a label for: my card \x1b[2J[red] {'x' * 60}", comment="one\ntwo"
    )

    feedback.list_waiting(here, Namespace())

    line = next(line for line in told(here).splitlines() if said in line)
    for words in ("b", "down", "my card \N{REPLACEMENT CHARACTER}[2J[red] xxx", "top_up", "refund", "one"):
        assert words in line
    assert "x" * 40 not in told(here)
    assert "Give a label" not in told(here)
    assert "\x1b" not in told(here)


def test_one_is_shown_whole(here: Here) -> None:
    said = send(here, question="x" * 300, comment="one\ntwo")

    feedback.show(here, Namespace(id=said))

    assert "x" * 300 in told(here)
    assert "one\ntwo" in told(here)
    with pytest.raises(NotWaiting, match="fb-0 does not wait"):
        feedback.show(here, Namespace(id="fb-0"))


def test_nothing_that_waits_is_nothing_to_do(here: Here) -> None:
    with pytest.raises(NothingToDo):
        feedback.list_waiting(here, Namespace())


def test_an_accepted_one_is_submitted_as_any_file_and_says_that_it_was_reviewed(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_in: list[Any] = []

    def refuses(_settings: Any, _config: Any, _recipe: Any, upload: Upload, _on_line: Any) -> Any:
        handed_in.append((upload.reviewed, upload.note, upload.replace, upload.path.read_text()))
        raise TerminalError("no")

    monkeypatch.setattr(feedback, "submit", refuses)
    monkeypatch.setattr("getpass.getuser", lambda: "noor")
    said = send(here, corrected="refund", question="Give a label for: where is my money")

    with pytest.raises(TerminalError, match="no"):
        feedback.accept(here, Namespace(ids=[said], label=None))

    row = f'{{"feedback":"{said}","label":"refund","text":"where is my money"}}\n'
    assert handed_in == [(True, "feedback reviewed by noor", False, row)]


def test_a_rejected_one_needs_a_reason(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    said = send(here)

    with pytest.raises(SystemExit):
        parser().parse_args(["feedback", "reject", said])
    options = parser().parse_args(["feedback", "reject", said, "--reason", "spam"])
    options.verb(here, options)

    assert f"rejected {said}" in told(here)
    assert here.world.feedback("support").records()[-1].reason == "spam"
