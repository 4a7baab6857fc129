"""What applications say of an answer that they got, and what became of it when a person looked at it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, NonNegativeInt, StringConstraints, model_validator

from ratchet.core.contract import Contract, digest_json
from ratchet.core.redact import redacted
from ratchet.core.refs import FileRef

Rating = Literal["up", "down"]
# Something is said, and no NUL byte: intake refuses a whole file for one.
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00]+$")]
# vLLM makes an answer's id of the request's.
_ANSWER_PREFIXES = ("chatcmpl-", "cmpl-")


class SentFeedback(Contract):
    """What `POST /v1/feedback` takes. `answer`: its id, or its request's; `corrected`: what it should have been."""

    answer: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    rating: Rating
    corrected: Said | None = None
    comment: Said | None = None
    question: Said | None = None

    @model_validator(mode="after")
    def _nobody_corrects_what_is_right(self) -> Self:
        if self.corrected and self.rating == "up":
            raise ValueError('a corrected answer goes with "rating": "down"')
        return self


class Feedback(Contract):
    """What is kept of it, redacted. `key` names who asked, and so who may say something of the answer.

    `release` and `colour` gave the answer at `answered_at`. `answered` is what they said, and `question` what they were
    asked unless the sender tells it: both only where the answer was captured. Whoever says the same again has the same
    `id`; of one request the newest counts.
    """

    id: str
    at: AwareDatetime
    request_id: str
    key: str | None
    release: str
    colour: str | None
    answered_at: AwareDatetime
    rating: Rating
    question: str | None
    answered: str | None
    corrected: str | None
    comment: str | None


ReviewKind = Literal["accepting", "accepted", "returned", "rejected"]


class FeedbackReview(Contract):
    """One record of the journal of reviews; `seq` is set by the journal.

    "accepting" names the `upload` that becomes a dataset version; "accepted" ends it, and so does "returned", with the
    intake's `reason`: then these wait again. Both have the seq of what they end in `ends`. No text of a user is here.
    """

    schema_version: Literal[1] = 1
    line: str
    seq: NonNegativeInt = 0
    at: AwareDatetime
    by: str
    kind: ReviewKind
    ids: tuple[str, ...]
    upload: FileRef | None = None
    ends: NonNegativeInt | None = None
    reason: str = ""


def request_id_of(answer: str) -> str:
    """Of an answer's id, or of a request's."""
    prefix = next(filter(answer.startswith, _ANSWER_PREFIXES), "")
    return answer.removeprefix(prefix)


def kept_of(
    sent: SentFeedback, logged: Mapping[str, Any], captured: Mapping[str, Any] | None, at: datetime
) -> Feedback:
    """`logged` is the answer's line of the access log, `captured` what was kept of it (serving/capture.py)."""
    said = {name: _redacted(getattr(sent, name)) for name in ("corrected", "comment")}
    what = {
        "request_id": logged["request_id"],
        "key": logged["key"],
        "rating": sent.rating,
        "question": _redacted(sent.question) or (asked_in(captured["prompt"]) if captured else None),
        "answered": next(iter(captured["answer"]), None) if captured else None,
        **said,
    }
    where = {"release": logged["release"], "colour": logged["colour"], "answered_at": logged["at"]}
    return Feedback(id=f"fb-{digest_json(what)[:12]}", at=at, **what, **where)


def _redacted(text: str | None) -> str | None:
    return redacted(text) if text else None


def asked_in(prompt: Any) -> str | None:
    """The question of a captured prompt: of a conversation of several messages there is none."""
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], dict):
        prompt = prompt[0]["content"] if prompt[0]["role"] == "user" else None
    return prompt if isinstance(prompt, str) else None


def newest_of_each(kept: Iterable[Feedback]) -> list[Feedback]:
    """What counts: of each request the last that was said, oldest first."""
    newest = {(one.request_id, one.key): one for one in sorted(kept, key=lambda one: one.at)}
    return sorted(newest.values(), key=lambda one: one.at)


def waiting(kept: Iterable[Feedback], reviews: Sequence[FeedbackReview]) -> list[Feedback]:
    """What a person has to decide about; praise is counted, and teaches nothing."""
    decided = decided_ids(reviews)
    return [one for one in newest_of_each(kept) if one.rating == "down" and one.id not in decided]


def decided_ids(reviews: Sequence[FeedbackReview]) -> dict[str, ReviewKind]:
    """Id → what was decided of it last; those that were returned are not decided."""
    last = {feedback_id: review.kind for review in reviews for feedback_id in review.ids}
    return {feedback_id: kind for feedback_id, kind in last.items() if kind != "returned"}


def unfinished(reviews: Sequence[FeedbackReview]) -> list[FeedbackReview]:
    """Acceptances whose upload is not known to have become a version, or to have been refused."""
    ended = {review.ends for review in reviews}
    return [review for review in reviews if review.kind == "accepting" and review.seq not in ended]
