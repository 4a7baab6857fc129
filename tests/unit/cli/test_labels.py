"""`ratchet labels FILE`: the truth about answers is kept whole or not at all, redacted, and what it says is told."""

from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from ratchet.cli import labels as verb
from ratchet.cli.labels import BadLabels
from ratchet.clients.labels import labels
from ratchet.clients.settings import Settings
from ratchet.serving.capture import write

TODAY = datetime.now(UTC).date()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path)


def take(settings: Settings, name: str, content: str | bytes) -> str:
    """What is told."""
    path = settings.root / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    console = Console(record=True, width=1000)
    here = SimpleNamespace(settings=settings, console=console, recipe=SimpleNamespace(line="support"))
    verb.take(here, Namespace(file=path))  # type: ignore[arg-type]
    return " ".join(console.export_text().split())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("truth.csv", "request_id,label,note\nchatcmpl-r1,refund,\nr2, lost_card ,x\n"),
        ("truth.csv", "\ufefflabel,request_id\r\nrefund,r1\r\nlost_card,r2\r\n"),
        ("truth.jsonl", '{"request_id": "cmpl-r1", "label": "refund"}\n\n{"request_id": "r2", "label": "lost_card"}\n'),
    ],
)
def test_a_file_says_by_an_answers_id_or_its_requests_what_it_should_have_been(
    settings: Settings, name: str, content: str
) -> None:
    take(settings, name, content)

    assert labels(settings.labels_dir) == {"r1": "refund", "r2": "lost_card"}


def test_a_label_with_a_line_separator_of_unicode_is_kept_and_so_is_the_next(settings: Settings) -> None:
    take(settings, "truth.csv", "request_id,label\nr1,re\u2028fund\nr2,lost_card\n")

    assert labels(settings.labels_dir) == {"r1": "re\u2028fund", "r2": "lost_card"}


def test_it_is_told_how_many_are_of_answers_that_are_kept_and_how_many_of_these_are_right(settings: Settings) -> None:
    for request_id, answer in (("r1", "refund"), ("r2", "refund"), ("r3", "refund")):
        record = {"request_id": request_id, "prompt": "where", "answer": [answer], "release": "a"}
        write(settings.capture_dir, f"{TODAY}-blue.jsonl", record)

    told = take(settings, "truth.csv", "request_id,label\nr1,refund\nr2,lost_card\nr9,refund\n")

    assert told.startswith("3 labels are kept. Of all that are, 2 are of answers that are kept too")
    assert "([edge] capture_share, capture_days): 1 of these answers are right" in told


def test_labels_are_their_owners_redacted_and_forgotten_with_what_users_said(settings: Settings) -> None:
    old = settings.labels_dir / f"{TODAY - timedelta(days=settings.edge.feedback_days)}-labels.jsonl"
    write(settings.labels_dir, old.name, {"request_id": "r0", "label": "refund"})

    take(settings, "truth.csv", "request_id,label\nr1,write to mia@example.org\n")

    [path] = settings.labels_dir.iterdir()
    assert labels(settings.labels_dir) == {"r1": "write to [email]"}
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("truth.csv", "request_id,label\nr1,refund\nr2,\n", "row 2: expected `request_id`"),
        ("truth.csv", "id,label\nr1,noor\n", "row 1: expected `request_id`"),
        ("truth.jsonl", '{"request_id": "r1", "label": 3}\n', "row 1: expected"),
        ("truth.jsonl", '["noor"]\n', "row 1: expected"),
        ("truth.jsonl", '{"request_id": "noor\n', "JSONDecodeError"),
        ("truth.csv", b"request_id,label\nr1,\xff\n", "UnicodeDecodeError"),
    ],
)
def test_a_file_that_does_not_say_it_is_refused_whole_and_not_quoted(
    settings: Settings, name: str, content: str | bytes, says: str
) -> None:
    with pytest.raises(BadLabels, match=says) as caught:
        take(settings, name, content)

    assert "noor" not in str(caught.value)
    assert labels(settings.labels_dir) == {}


def test_a_file_that_is_not_there_is_named(settings: Settings) -> None:
    console = Console()
    here = SimpleNamespace(settings=settings, console=console)
    with pytest.raises(BadLabels, match=r"none\.csv: cannot be read .* FileNotFoundError"):
        verb.take(here, Namespace(file=settings.root / "none.csv"))  # type: ignore[arg-type]
