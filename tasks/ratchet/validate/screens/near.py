"""Rows that say nearly the same as another one: MinHash and banding propose pairs, the exact Jaccard index decides.

Broder 1997, On the resemblance and containment of documents; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets,
chapter 3. What is near is what prepare groups: 4-grams of characters with a Jaccard index of at least 4/5.
"""

import re
import unicodedata
from typing import Any

from ratchet.core.similarity import Fraction, is_near
from ratchet.validate.policy import WARNS
from ratchet.validate.screens.screen import Screen, batches

_NEAR: Fraction = (4, 5)
_NGRAM_CHARACTERS = 4
# Two texts with a Jaccard index of j share a band with a chance of 1 - (1 - j^6)^21: 99.8 % at 0.8, 28 % at 0.5.
_NUM_BANDS, _BAND_SIZE = 21, 6
_SEED = 1

# Texts of the file by their first row; those of the current version count down from -1.
_TEXTS = """
    CREATE TABLE near_texts AS
    SELECT -position AS id, text FROM (
        SELECT min(position) AS position, text FROM (SELECT row_number() OVER () AS position, text FROM previous)
        GROUP BY text
    )
    UNION ALL
    SELECT min(row), text FROM rows ANTI JOIN previous USING (text) GROUP BY text
"""
# In a band each text is compared with the first and with the one before it: the pairs of a bucket grow as its texts.
_PAIRS = """
    CREATE TABLE near_pairs AS
    SELECT DISTINCT id, other FROM (
        SELECT id, unnest([first, before]) AS other FROM (
            SELECT id, min(id) OVER same AS first, lag(id) OVER same AS before FROM near_bands
            WHERE band IN (SELECT band FROM near_bands GROUP BY band HAVING count(*) > 1)
            WINDOW same AS (PARTITION BY band ORDER BY id)
        ) WHERE id > 0 AND before IS NOT NULL
    )
"""
_CANDIDATES = """
    SELECT pair.id, other, one.text, two.text FROM near_pairs AS pair
    JOIN near_texts AS one ON one.id = pair.id JOIN near_texts AS two ON two.id = other
"""
_FIND = """
    SELECT id AS row,
        CASE WHEN min(other) > 0 THEN 'near row ' || min(other)
        ELSE 'near row ' || -max(other) FILTER (other < 0) || ' of the current version' END AS detail
    FROM near GROUP BY id
"""


def ngrams_of(text: str) -> frozenset[str]:
    """Character n-grams without regard to case, width and layout; a text shorter than one is its own."""
    plain = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()
    last = max(1, len(plain) - _NGRAM_CHARACTERS + 1)
    return frozenset(plain[start : start + _NGRAM_CHARACTERS] for start in range(last))


def _prepare(db: Any) -> None:
    db.execute(_TEXTS)
    db.execute("CREATE TABLE near_bands (id BIGINT, band UBIGINT)")
    for texts in batches(db, "SELECT id, text FROM near_texts"):
        bands = _bands([text for _, text in texts])  # noqa: F841 - DuckDB reads the two arrays by their names
        ids = _repeated([key for key, _ in texts])  # noqa: F841
        db.execute("INSERT INTO near_bands SELECT ids.column0, bands.column0 FROM ids POSITIONAL JOIN bands")
    db.execute(_PAIRS)
    db.execute("CREATE TABLE near (id BIGINT, other BIGINT)")
    for pairs in batches(db, _CANDIDATES):
        near = [(key, other) for key, other, one, two in pairs if is_near(ngrams_of(one), ngrams_of(two), _NEAR)]
        if near:
            db.execute("INSERT INTO near SELECT unnest(?), unnest(?)", list(zip(*near, strict=True)))


def _repeated(ids: list[int]) -> Any:
    import numpy as np

    return np.repeat(np.array(ids, np.int64), _NUM_BANDS)


def _bands(texts: list[str]) -> Any:
    """For each text its bands, one after the other: 64 bits made of the band's number and its least hashes."""
    import numpy as np
    from rensa import RMinHash

    tokens = [list(ngrams_of(text)) for text in texts]
    hashes = np.array(RMinHash.digests_from_token_sets(tokens, _NUM_BANDS * _BAND_SIZE, _SEED), np.uint64)
    bands = np.broadcast_to(np.arange(_NUM_BANDS, dtype=np.uint64), (len(texts), _NUM_BANDS)).copy()
    for column in range(_BAND_SIZE):
        # FNV-1a's prime, word by word; a chance collision costs one comparison.
        bands = (bands ^ hashes.reshape(len(texts), _NUM_BANDS, _BAND_SIZE)[:, :, column]) * np.uint64(0x100000001B3)
        bands ^= bands >> np.uint64(29)
    return bands.reshape(-1)


NEAR_DUPLICATE = Screen(
    "near_duplicate",
    "a text is not nearly the same as another one, here or in the current version",
    WARNS,
    _FIND,
    _prepare,
)
