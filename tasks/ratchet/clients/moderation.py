"""Asking a classifier behind OpenAI's moderation API which texts are harmful.

POST https://host/v1/moderations {"model": "omni-moderation-2024-09-26", "input": ["…", "…"]}
200 {"results": [{"flagged": true, "categories": {"hate": true, "violence": false}, …}, {"flagged": false, …}]}

No error tells a text, nor what the endpoint says, which may hold one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ratchet.clients.http import http_client
from ratchet.clients.key_file import read_key
from ratchet.clients.openai import bearer
from ratchet.core.classifier import Classifier
from ratchet.core.errors import TerminalError, TransientError

TIMEOUT_SECONDS = 60.0
ASKED_AT_ONCE = 32  # texts
TOXICITY_KEY = "toxicity_key"  # in the secrets folder, where the endpoint wants one


class ModeratorAway(TransientError, ConnectionError):
    """Nobody answers, or not in time, or with a server error, or too many ask."""

    code = "UNAVAILABLE"


class NoModerator(TerminalError, ValueError):
    """The endpoint does not do what OpenAI's moderation API does, or does not do it for us."""

    code = "SETTINGS_INVALID"


@dataclass(frozen=True)
class Moderator:
    """`url` ends in /v1."""

    url: str
    model: str
    key: str = field(default="", repr=False)

    def harms(self, texts: Sequence[str]) -> list[frozenset[str] | None]:
        """For each text the categories by which it is flagged, None where it is not. Raises ModeratorAway, NoModerator.

        Redirects are not followed: texts go where the recipe says.
        """
        import httpx

        url = f"{self.url.rstrip('/')}/moderations"
        body = {"model": self.model, "input": list(texts)}
        try:
            answer = http_client().post(url, json=body, timeout=TIMEOUT_SECONDS, headers=bearer(self.key))
        except httpx.HTTPError as error:
            raise ModeratorAway(
                f"the classifier {url} does not answer ({type(error).__name__}): start it and run again, or take "
                "`toxicity` out of the recipe's rules; rows are never accepted unseen"
            ) from None
        if answer.is_server_error or answer.status_code in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT):
            raise ModeratorAway(f"the classifier {url} answers {answer.status_code}: run again when it is well")
        if not answer.is_success:
            raise NoModerator(
                f"the classifier {url} answers {answer.status_code} for model {self.model!r}: expected 200 as of "
                "OpenAI's moderation API; look at url, model and key (docs/data.md)"
            )
        try:
            results = [_harm(result) for result in answer.json()["results"]]
        except (ValueError, LookupError, TypeError, AttributeError):
            results = []
        if len(results) != len(texts):
            raise NoModerator(
                f"the classifier {url} answers with {len(results)} readable results for {len(texts)} texts: expected "
                'one {"flagged": …, "categories": {…}} for each, as of OpenAI\'s moderation API'
            )
        return results


def moderator_of(classifier: Classifier | None, secrets: Path) -> Moderator | None:
    """None where the recipe names nobody. Raises BadKey."""
    return Moderator(classifier.url, classifier.model, read_key(secrets / TOXICITY_KEY)) if classifier else None


def _harm(result: Any) -> frozenset[str] | None:
    if not isinstance(result["flagged"], bool):
        raise TypeError
    harms = frozenset(str(name) for name, holds in result.get("categories", {}).items() if holds is True)
    return harms if result["flagged"] else None
