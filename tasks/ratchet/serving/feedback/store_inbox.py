"""Where feedback waits on a cluster, whose pods come and go: an object each in the store, for some days.

inbox/support/3f9a0c51d2e7/20260105T123000.000000-fb-0a1b2c3d4e5f.json     of whose answer, when, and what was said
{"id": "fb-0a…", "at": "…", "request_id": "9f…", "key": "mia", "release": "support-1", "rating": "down", …}
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from pydantic import ValidationError

from ratchet.clients.cluster import object_name
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.contract import digest_json
from ratchet.core.feedback import Feedback
from ratchet.core.log import log
from ratchet.serving.feedback.inbox import FeedbackInbox, inbox_of

NUM_PARALLEL = 8  # of a bucket each object costs a request


def inbox_of_line(world: World, line: str) -> FeedbackInbox:
    """What a person reviews."""
    if world.settings.runtime == "kubernetes":
        return StoreInbox(world.store, object_name(line), world.settings.edge.feedback_days)
    return inbox_of(world.settings)


class StoreInbox:
    """`name`: the line's, as the chart of its serving is installed under."""

    def __init__(self, store: Store, name: str, days: int) -> None:
        self.store, self.prefix, self.days = store, f"inbox/{name}/", days
        self._alone = threading.Lock()  # the service is the one process that writes

    def keep(self, feedback: Feedback) -> None:
        """Once, however often it is sent. Raises StoreAway, StoreRefused."""
        about = f"{self.prefix}{digest_json([feedback.request_id, feedback.key])[:12]}/"
        with self._alone:
            newest = max(self.store.keys(about), default="")
            if not newest.endswith(f"-{feedback.id}.json"):
                self.store.create(f"{about}{feedback.at:%Y%m%dT%H%M%S.%f}-{feedback.id}.json", feedback)

    def forget_old(self) -> None:
        oldest = datetime.now(UTC) - timedelta(days=self.days - 1)
        for key in self.store.keys(self.prefix):
            if PurePosixPath(key).name < f"{oldest:%Y%m%d}":
                self.store.bucket.delete(key)

    def read(self) -> Iterator[Feedback]:
        """All that is kept. What is broken, or of another version, is told and left out."""
        keys = self.store.keys(self.prefix)
        with ThreadPoolExecutor(NUM_PARALLEL) as threads:
            for key, content in zip(keys, threads.map(self.store.get, keys), strict=True):
                if content is None:
                    continue  # forgotten meanwhile
                try:
                    yield Feedback.model_validate_json(content)
                except ValidationError:
                    log.warning("no feedback", extra={"key": key})
