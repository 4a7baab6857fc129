"""A person decides of feedback: accepted corrections become one upload, which is handed in as any other file.

The journal says first that they are accepted, then that they are in. What was killed between is handed in again by the
next acceptance: the same file twice is one version.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from ratchet.clients.world import World
from ratchet.core.chat import without_prompt
from ratchet.core.contract import canonical_json
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.feedback import Feedback, FeedbackReview, decided_ids, unfinished, waiting
from ratchet.core.log import log
from ratchet.intake.versions import is_part_of
from ratchet.recipes.recipe import Recipe
from ratchet.serving.feedback.inbox import FeedbackInbox

Added = TypeVar("Added")
# Hands in a file under a note. Raises what refuses it.
HandIn = Callable[[Path, str], Added]
MAX_REASON = 500


class NotWaiting(TerminalError, LookupError):
    """No such feedback waits for a person."""

    code = "REFUSED"


class NoRow(TerminalError, ValueError):
    """No row can be made of the feedback."""

    code = "REFUSED"


@dataclass(frozen=True)
class HandedIn(Generic[Added]):
    path: Path
    result: Added


@dataclass(frozen=True)
class Desk:
    """Where `by` reviews what was said of a line's answers."""

    world: World
    recipe: Recipe
    inbox: FeedbackInbox
    by: str

    def waiting(self) -> list[Feedback]:
        """Oldest first."""
        return self._waiting(self.world.feedback(self.recipe.line).records())

    def find(self, ids: Sequence[str]) -> list[Feedback]:
        """Raises NotWaiting."""
        return self._find(ids, self.world.feedback(self.recipe.line).records())

    def reject(self, ids: Sequence[str], reason: str) -> None:
        """Raises NotWaiting: nothing was rejected."""

        def decide(reviews: Sequence[FeedbackReview]) -> FeedbackReview:
            self._find(ids, reviews)
            return self._review("rejected", ids, reason=reason)

        self.world.feedback(self.recipe.line).append(decide)

    def accept(self, ids: Sequence[str], label: str | None, hand_in: HandIn[Added]) -> list[HandedIn[Added]]:
        """Hand in the rows of these, and those of an acceptance that was killed. `label`: instead of the correction.

        Raises:
            NotWaiting, NoRow: nothing was accepted.
            NothingToDo: all of these were accepted before.
            TerminalError: the intake refused the file; these wait again.
        """
        claim = self._claim(ids, label)
        open_claims = unfinished(self.world.feedback(self.recipe.line).records())
        if not (claim or open_claims):
            raise NothingToDo("all of these were accepted before")
        handed_in = []
        for one in open_claims:
            try:
                handed_in.append(self._finish(one, hand_in))
            except TerminalError as error:
                if claim is None or one.seq == claim.seq:
                    raise
                # An older one's file is no reason to leave this one's undecided.
                log.warning(
                    "feedback that was accepted before waits again", extra={"ids": one.ids, "reason": str(error)}
                )
        return handed_in

    def _claim(self, ids: Sequence[str], label: str | None) -> FeedbackReview | None:
        """Say in the journal that these are accepted, with the file that they become."""

        def decide(reviews: Sequence[FeedbackReview]) -> FeedbackReview | None:
            decided = decided_ids(reviews)
            new = [one for one in dict.fromkeys(ids) if decided.get(one) not in ("accepting", "accepted")]
            rows = [row_of(feedback, self.recipe.prompt, label) for feedback in self._find(new, reviews)]
            content = b"".join(canonical_json(row) + b"\n" for row in rows)
            return self._review("accepting", new, upload=self.world.store.put_bytes(content)) if new else None

        return self.world.feedback(self.recipe.line).append(decide)

    def _finish(self, claim: FeedbackReview, hand_in: HandIn[Added]) -> HandedIn[Added]:
        assert claim.upload  # noqa: S101 - which every acceptance has
        with self.world.scratch() as folder:
            path = folder / f"feedback-{claim.upload.sha256[:12]}.jsonl"
            self.world.store.fetch_file(claim.upload, path)
            try:
                added = hand_in(path, f"feedback reviewed by {claim.by}")
            except TerminalError as error:
                # What was killed may be in, and be refused by rules that changed since.
                is_in = is_part_of(self.world.datasets(self.recipe.dataset).records(), claim.upload, replace=False)
                self._end(claim, "accepted" if is_in else "returned", str(error)[:MAX_REASON])
                raise
        self._end(claim, "accepted")
        return HandedIn(path, added)

    def _end(self, claim: FeedbackReview, kind: str, reason: str = "") -> None:
        """Once: another command may be finishing it too."""

        def decide(reviews: Sequence[FeedbackReview]) -> FeedbackReview | None:
            is_open = claim.seq in [one.seq for one in unfinished(reviews)]
            return self._review(kind, claim.ids, ends=claim.seq, reason=reason) if is_open else None

        self.world.feedback(self.recipe.line).append(decide)

    def _find(self, ids: Sequence[str], reviews: Sequence[FeedbackReview]) -> list[Feedback]:
        there = {feedback.id: feedback for feedback in self._waiting(reviews)}
        if missing := [one for one in ids if one not in there]:
            decided = decided_ids(reviews).get(missing[0])
            why = f"it is {decided} already" if decided else "there is none, or its sender changed it since"
            raise NotWaiting(f"{missing[0]} does not wait: {why}; `ratchet feedback` lists what does")
        return [there[one] for one in ids]

    def _waiting(self, reviews: Sequence[FeedbackReview]) -> list[Feedback]:
        """Of this line's releases: an inbox may hold what was said when another line had the users."""
        releases = {event.release_id for event in self.world.ledger(self.recipe.line).events()}
        return [one for one in waiting(self.inbox.read(), reviews) if one.release in releases]

    def _review(self, kind: str, ids: Sequence[str], **fields: object) -> FeedbackReview:
        told = {"line": self.recipe.line, "at": datetime.now(UTC), "by": self.by, "kind": kind, "ids": tuple(ids)}
        return FeedbackReview.model_validate({**told, **fields})


def row_of(feedback: Feedback, prompt: str, label: str | None) -> dict[str, str]:
    """Text and label as intake reads them; a row that it quarantines names the feedback. Raises NoRow."""
    label = label or feedback.corrected
    if feedback.question is None:
        raise NoRow(
            f"{feedback.id} has no question: its sender did not tell it, and the answer was not captured "
            f'(docs/edge.md); `ratchet feedback reject {feedback.id} --reason "no question"`'
        )
    if label is None:
        raise NoRow(f"{feedback.id} does not say what the answer should have been: give it by --label, or reject it")
    return {"text": without_prompt(feedback.question, prompt), "label": label, "feedback": feedback.id}
