"""What prepare is given, as values: the rows of a dataset version, and the questions that are never trained on."""

import json

from pydantic import ValidationError

from ratchet.core.datasets import Row
from ratchet.core.errors import TerminalError


class BadRows(TerminalError, ValueError):
    """A file is not the JSON lines that it should be."""

    code = "DATA_UNUSABLE"


def read_rows(content: bytes) -> list[Row]:
    rows = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            rows.append(Row.model_validate_json(line))
        except ValidationError as error:
            problem = error.errors()[0]
            raise BadRows(
                f"rows, line {number}: {'.'.join(map(str, problem['loc'])) or 'the line'}: {problem['msg']}: "
                "expected the accepted rows of validate; submit the data again"
            ) from None
    return rows


def read_questions(content: bytes) -> frozenset[str]:
    """A record: {"question": "What is 12 + 7?", "answer": "19"}."""
    questions = set()
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            questions.add(str(json.loads(line)["question"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BadRows(
                f'replay_exclude, line {number}: {error!r}: expected {{"question": …, "answer": …}} on every line'
            ) from None
    return frozenset(questions)
