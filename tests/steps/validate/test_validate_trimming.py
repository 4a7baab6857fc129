"""What is told of a whole file, so that its rows need not be searched, changes nothing of what a row is."""

from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.validate.bad_upload import BadUpload
from ratchet.validate.signs import (
    ASCII_BLANKS,
    BLANK_SIGNS,
    CONTROL_SIGNS,
    MARK_SIGNS,
    ascii_signs_in,
    wide_signs_in,
)
from ratchet.validate.sql import trimmed
from ratchet.validate.upload import open_upload

BLANKS = ASCII_BLANKS + BLANK_SIGNS
SIGNS = CONTROL_SIGNS + MARK_SIGNS + BLANK_SIGNS
# Neighbours of what is looked for, in code or in bytes, and letters of one to four bytes.
texts = st.text(st.sampled_from(BLANKS + "!~\x1f\x7f\x85a£é卡\u0301\u200c\U0001f600"), max_size=6)


@given(st.lists(texts, min_size=1, max_size=200))
@settings(max_examples=50, deadline=None)
def test_a_field_is_trimmed_of_all_blanks_whatever_else_the_file_holds(fields: list[str]) -> None:
    whole = "".join(fields)
    held = ascii_signs_in(whole.encode()) | wide_signs_in(whole)

    with duckdb.connect(":memory:") as db:
        both = [trimmed("field", known) for known in (held, None)]
        query = f"SELECT {', '.join(both)} FROM (SELECT unnest(?) AS field)"
        found = db.execute(query, [fields]).fetchall()

    assert found == [(field.strip(BLANKS) or None,) * 2 for field in fields]


@pytest.mark.parametrize("sign", SIGNS.replace("\0", ""))
def test_a_sign_anywhere_in_a_file_is_seen(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "where is my card, £5 or 5€\n" * 9000 + sign + "\n", "utf-8")

    assert open_upload(path, "a.csv", 1 << 20).signs == {sign}


@given(st.integers(4 << 10, (4 << 10) + 8), st.integers(0, 9000))
@settings(max_examples=50, deadline=None)
def test_the_byte_that_is_no_utf8_is_named_wherever_it_is(
    tmp_path_factory: pytest.TempPathFactory, before: int, between: int
) -> None:
    path = tmp_path_factory.mktemp("upload") / "a.csv"
    good = "text,label\n".ljust(before, "a").encode() + "€".encode() + b"a" * between
    path.write_bytes(good + "€".encode()[:2] + b"a" * 5000)

    with pytest.raises(BadUpload, match=rf"not UTF-8 at byte {len(good)} \(line 2\)"):
        open_upload(path, "a.csv", 1 << 20)
