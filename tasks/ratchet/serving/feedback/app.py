"""`POST /v1/feedback`, behind the edge: what is wrong is told in the shape of OpenAI's errors, what is right waits for
a person (`ratchet feedback`).

{"answer": "chatcmpl-9f…", "rating": "down", "corrected": "change_address", "question": "I have moved"}
202 {"id": "fb-3f9a0c51d2e7", "release": "support-1", "status": "waits_for_review"}
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ratchet.clients.json_lines import find_last, newest_first
from ratchet.clients.routes import FEEDBACK_PATH, KEY_NAME_HEADER
from ratchet.core.feedback import Feedback, SentFeedback, kept_of, request_id_of
from ratchet.core.log import log
from ratchet.serving.feedback.inbox import FeedbackInbox
from ratchet.serving.middleware import ANSWER_PATHS

# As much as is captured of an answer: it bounds what redaction costs.
MAX_BYTES = 64 * 1024
# Envoy writes its log once a second (edge/bootstrap.py), and the supervisor copies it.
LOGGED_SECONDS = 2.5
LOOK_SECONDS = 0.5


class Refusal(HTTPException):
    """A refusal in OpenAI's shape."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(status, message)
        self.code, self.param = code, param


@dataclass(frozen=True)
class Taker:
    """`logs` has the edge's access log, `capture` what was captured of answers."""

    inbox: FeedbackInbox
    logs: Path
    capture: Path
    logged_seconds: float = LOGGED_SECONDS

    async def take(self, request: Request) -> JSONResponse:
        sent = parsed(await request.body())
        key = request.headers.get(KEY_NAME_HEADER)
        logged = await self._logged(request_id_of(sent.answer), key)
        feedback = await run_in_threadpool(self._keep, sent, logged)
        status = {"down": "waits_for_review", "up": "counted"}[feedback.rating]
        told = {"id": feedback.id, "release": feedback.release, "status": status}
        return JSONResponse(told, status_code=202)

    async def _logged(self, request_id: str, key: str | None) -> Mapping[str, Any]:
        """The answer's line of the access log. Raises Refusal."""
        for wait in _looks(self.logged_seconds):
            await asyncio.sleep(wait)
            if found := await run_in_threadpool(self._find, request_id, key):
                return found
        raise Refusal(
            404,
            "answer_not_found",
            "No answer with this id was given to this key, or too long ago: the log of answers has been rotated. An "
            "answer's id is in its body (`id`), its request's in the header x-request-id.",
            "answer",
        )

    def _find(self, request_id: str, key: str | None) -> dict[str, Any] | None:
        """Only who asked may say something of the answer; whoever has a key, of one from before there were keys."""
        return find_last(
            newest_first(self.logs.glob("access.log*")),
            *("request_id", request_id),
            lambda line: (
                line["path"] in ANSWER_PATHS
                and line["status"] == 200
                and bool(line["release"])
                and line["key"] in (key, None)
            ),
        )

    def _keep(self, sent: SentFeedback, logged: Mapping[str, Any]) -> Feedback:
        captured = find_last(
            newest_first(self.capture.glob("*.jsonl")),
            *("request_id", logged["request_id"]),
            lambda line: (line["release"], line["key"]) == (logged["release"], logged["key"]),
        )
        feedback = kept_of(sent, logged, captured, datetime.now(UTC))
        try:
            self.inbox.keep(feedback)
        except OSError as error:
            log.error("feedback was not kept", extra={"error": str(error)})
            raise Refusal(503, "feedback_away", "The feedback cannot be kept now: send it again later.") from None
        return feedback


def application(taker: Taker, *others: Route) -> Starlette:
    return Starlette(
        routes=[Route(FEEDBACK_PATH, taker.take, methods=["POST"]), *others],
        exception_handlers={HTTPException: _refused},
    )


def parsed(body: bytes) -> SentFeedback:
    """Raises Refusal, which says nothing of what was said."""
    if len(body) > MAX_BYTES:
        raise Refusal(413, "request_too_large", f"Feedback has up to {MAX_BYTES} bytes: send less.")
    try:
        return SentFeedback.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_context=False, include_url=False)[0]
        field = ".".join(map(str, problem["loc"]))[:60]
        raise Refusal(400, "invalid_feedback", f"{field or 'The feedback'}: {problem['msg']}", field or None) from None


def _looks(seconds: float) -> list[float]:
    """How long to wait before each look, the first at once."""
    return [0.0, *[LOOK_SECONDS] * round(seconds / LOOK_SECONDS)]


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - what Starlette gives it
    kind = "server_error" if error.status_code >= 500 else "invalid_request_error"
    code, param = (error.code, error.param) if isinstance(error, Refusal) else ("not_found", None)
    body = {"error": {"message": error.detail, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)
