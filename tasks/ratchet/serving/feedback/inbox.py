"""Where feedback waits for a person: files of JSON lines below the state's folder, their owner's alone, for some days.

feedback/2026-01-05-feedback.jsonl
{"id": "fb-3f9a0c51d2e7", "at": "…", "request_id": "9f…", "key": "mia", "release": "support-1", "rating": "down", …}
"""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from ratchet.clients.json_lines import find_last, newest_first
from ratchet.clients.settings import Settings
from ratchet.core.feedback import Feedback, Rating, newest_of_each
from ratchet.core.log import log
from ratchet.serving.capture import forget, write


class FeedbackInbox(Protocol):
    """Keeps what was said of answers for some days, until a person decides."""

    def keep(self, feedback: Feedback) -> None:
        """Once, however often it is sent. Raises OSError."""
        ...

    def forget_old(self) -> None: ...

    def read(self) -> Iterator[Feedback]:
        """All that is kept."""
        ...


def inbox_of(settings: Settings) -> "Inbox":
    return Inbox(settings.state / "feedback", settings.edge.feedback_days)


class Inbox:
    def __init__(self, folder: Path, days: int) -> None:
        self.folder, self.days = folder, days
        self._alone = threading.Lock()  # the service is the one process that writes

    @property
    def socket(self) -> Path:
        """Where the service listens. Nobody but the folder's owner reaches it: no one else may say which key asks."""
        return self.folder / "socket"

    def keep(self, feedback: Feedback) -> None:
        """Once, however often it is sent."""
        with self._alone:
            before = find_last(
                newest_first(self._files()),
                *("request_id", feedback.request_id),
                lambda line: line["key"] == feedback.key,
            )
            if before is None or before["id"] != feedback.id:
                write(self.folder, f"{feedback.at.date()}-feedback.jsonl", feedback.model_dump(mode="json"))
            self.forget_old()

    def forget_old(self) -> None:
        forget(self.folder, datetime.now(UTC).date() - timedelta(days=self.days))

    def read(self) -> Iterator[Feedback]:
        """All that is kept. A line that is broken, or of another version, is told and left out."""
        for path in sorted(self._files()):
            try:
                lines = path.read_bytes().splitlines()
            except FileNotFoundError:  # its time was over just now
                continue
            for number, line in enumerate(lines, start=1):
                try:
                    yield Feedback.model_validate_json(line)
                except ValidationError:
                    log.warning("no feedback", extra={"file": path.name, "line": number})

    def _files(self) -> Iterator[Path]:
        return self.folder.glob("????-??-??-feedback.jsonl")


def feedback_counts(inbox: FeedbackInbox) -> Counter[tuple[str, Rating]]:
    """How many answers of each release have which rating, of what is still kept. For the exporter."""
    return Counter((one.release, one.rating) for one in newest_of_each(inbox.read()))
