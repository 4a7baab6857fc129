"""JSON lines: which keys there are, and which line is broken.

{"text": "My card, please", "label": "card_arrival"}
"""

import json

from ratchet.validate.bad_upload import CUT_OFF, BadUpload
from ratchet.validate.upload import MAX_LINE_BYTES, Upload


def jsonl_names(upload: Upload, num_lines: int = 100) -> list[str]:
    """The keys of the first objects, in order of appearance."""
    names: dict[str, None] = {}
    with upload.path.open("rb") as file:
        for line in file:
            if num_lines == 0:
                break
            if line.strip():
                num_lines -= 1
                value = _parsed(line)
                names.update(dict.fromkeys(value if isinstance(value, dict) else ()))
    return list(names)


def bad_json_line(upload: Upload, problem: str) -> BadUpload:
    """Name the first line that is no JSON; `problem` is the reader's own word, for when every line looks fine here."""
    start = 0
    with upload.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and isinstance(value := _parsed(line), Exception):
                return BadUpload(_not_json(upload, number, start, line, value))
            start += len(line)
    return BadUpload(
        f"{upload.name}: cannot be read as JSON lines: {problem.replace(str(upload.path), upload.name)}; "
        f"lines may have up to {MAX_LINE_BYTES} bytes"
    )


def _parsed(line: bytes) -> object:
    """The value, or the exception that says why there is none."""
    try:
        value = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair parses, but is no text
    except (ValueError, RecursionError) as error:
        return error
    return value


def _not_json(upload: Upload, number: int, start: int, line: bytes, problem: Exception) -> str:
    where = f"{upload.name}: line {number} (bytes {start} to {start + len(line)}) is not a JSON object"
    if not line.endswith(b"\n"):
        return f"{where}: the file ends inside it, at byte {upload.num_bytes}: {CUT_OFF}"
    return f'{where}: {problem}; expected one object per line, such as {{"text": …, "label": …}}'
