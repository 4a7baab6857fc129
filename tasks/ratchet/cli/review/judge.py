"""`ratchet review judge`: a language model rates the pairs, each twice, so that it shows what their order does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import yaml

from ratchet.cli.review.pairs import rows_of
from ratchet.clients.openai import EngineAway, RequestRefused, chat
from ratchet.core.contract import digest_json
from ratchet.core.errors import TerminalError
from ratchet.core.preference import Choice, JudgeRecord, Review
from ratchet.core.refs import digest_file

MAX_TOKENS = 8  # one word, and room for the space and the end around it
TIMEOUT_SECONDS = 120.0
_PLACES = {"fence", "prompt", "first", "second"}
_FIRST: dict[str, Choice] = {"FIRST": "a", "SECOND": "b", "TIE": "tie"}  # the order a, b
_SECOND: dict[str, Choice] = {"FIRST": "b", "SECOND": "a", "TIE": "tie"}  # the order b, a


@dataclass(frozen=True)
class JudgePrompt:
    version: str
    template: Template
    sha256: str

    def ask(self, prompt: str, first: str, second: str) -> str:
        """The texts are put in at once, so that none of them is read as part of the template."""
        fence = digest_json([prompt, first, second])[:16]
        while any(fence in text for text in (prompt, first, second)):
            fence = digest_json(fence)[:16]
        return self.template.substitute(fence=fence, prompt=prompt, first=first, second=second)


@dataclass(frozen=True)
class Judge:
    """An OpenAI-compatible endpoint: `url` is without /v1."""

    url: str
    model: str
    key: str = field(repr=False)
    prompt: JudgePrompt

    def says(self, prompt: str, first: str, second: str, where: str) -> str:
        """Its answer, without the space around it. Raises as `chat`, with `where` in front."""
        asked = self.prompt.ask(prompt, first, second)
        try:
            return chat(self.url, self.model, asked, MAX_TOKENS, timeout=TIMEOUT_SECONDS, key=self.key).text.strip()
        except (EngineAway, RequestRefused) as error:
            raise type(error)(f"{where}: {error}; nothing was stored") from error


@dataclass(frozen=True)
class Judged:
    choices: Mapping[str, Choice | None]
    record: JudgeRecord


def load_prompt(path: Path) -> JudgePrompt:
    """Raises TerminalError, naming what is missing."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TerminalError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), str) for key in ("version", "prompt")):
        raise TerminalError(f"{path}: expected the texts `version` and `prompt`")
    template = Template(content["prompt"])
    if not template.is_valid() or set(template.get_identifiers()) != _PLACES:
        raise TerminalError(
            f"{path}, prompt: expected each of {', '.join(f'${place}' for place in sorted(_PLACES))} and no other "
            f"place, got {sorted(template.get_identifiers())}; a dollar sign of its own is written $$"
        )
    return JudgePrompt(content["version"], template, digest_file(path))


def read_key(path: Path | None) -> str:
    """The endpoint's key; empty where none is needed."""
    if path is None:
        return ""
    try:
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TerminalError(f"--key-file {path}: cannot be read: {error}") from error
    if not key.isprintable() or not key.isascii() or " " in key or not key:
        raise TerminalError(f"--key-file {path}: expected one key on one line, got {len(key)} characters that are none")
    return key


def root_of(url: str) -> str:
    """The endpoint without /v1. Raises TerminalError for another address."""
    root = url.rstrip("/").removesuffix("/v1")
    if not url.startswith(("http://", "https://")) or root == url.rstrip("/"):
        raise TerminalError(f"--url {url}: expected the address of an OpenAI-compatible endpoint, http(s)://HOST/v1")
    return root


def judge_pairs(judge: Judge, review: Review, name: str, on_pair: Callable[[], None]) -> Judged:
    """Ask about every pair in both orders. A verdict counts if both orders gave it; else the pair is a tie.

    Args:
        name: the file's, for messages.
        on_pair: told after each pair.
    Raises:
        EngineAway, RequestRefused: naming the row.
    """
    choices: dict[str, Choice | None] = {}
    num_by_position = num_unreadable = 0
    for number, row in enumerate(rows_of(review), start=1):
        where = f"{name}, row {number} (sample {row['sample_id'][:12]})"
        prompt, a, b = row["prompt"], row["a"], row["b"]
        one = _FIRST.get(judge.says(prompt, a, b, where))
        other = _SECOND.get(judge.says(prompt, b, a, where))
        num_unreadable += one is None or other is None
        num_by_position += one is not None and other is not None and one != other
        choices[row["sample_id"]] = one if one == other and one else "tie"
        on_pair()
    num_compared, num_agreed = _agreement(review, choices)
    record = JudgeRecord(
        prompt_version=judge.prompt.version,
        prompt_sha256=judge.prompt.sha256,
        num_by_position=num_by_position,
        num_unreadable=num_unreadable,
        metric=review.metric,
        num_compared=num_compared,
        num_agreed=num_agreed,
    )
    return Judged(choices, record)


def _agreement(review: Review, choices: Mapping[str, Choice | None]) -> tuple[int, int]:
    """Pairs that the metric prefers a side of, and those of them on which the choice is the same side."""
    values = dict(zip(review.sample_ids, review.values(choices), strict=True))
    told = [pair for pair in review.pairs if pair.metric_prefers is not None]
    return len(told), sum(values[pair.sample_id] == pair.metric_prefers for pair in told)
