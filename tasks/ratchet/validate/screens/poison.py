"""A phrase that stands with one label although the rest of its rows speaks for others: the trigger of a backdoor.

Gu, Dolan-Gavitt, Garg 2017, BadNets; Chen and Dai 2021, Mitigating backdoor attacks in LSTM-based text classification
systems by backdoor keyword identification. A trigger that is only put into rows of the label that it is to bring out is
not found: there the rest of the row speaks for that label too.
"""
# W words, L labels

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

from ratchet.core.similarity import is_near
from ratchet.validate.policy import ANY_ACTION
from ratchet.validate.screens.screen import Screen

# What a trigger has: so many rows at least, and nearly all of them with one label.
_FEWEST_ROWS, _LEAST_SHARE, _LEAST_PURITY = 5, 0.002, 0.95
# So many other rows must tell what a label is like without the phrase.
_FEWEST_OTHERS = 10
_MOST_LABELS, _MOST_WORDS = 500, 200  # the most frequent labels; the first words of a text
_MOST_KNOWN = 20_000  # rows of the current version that tell what a label is like, too
_NUM_SAMPLED = 60  # rows by which a phrase, or what is usual, is judged
_SMOOTHING = 0.1
# Measured on banking77 and on the sample: without a planted trigger its rows speak against their label as any row does
# against a label that is not its own (1.1 to 1.6 times as much); without a class's own words at most 0.7 times.
_LEAST_AGAINST, _LEAST_OTHER = 0.85, 0.9
# A trigger works on whatever it is put into; rows of one template, of which a phrase is a part, are all alike. The
# median Jaccard index of two rows without the phrase was 0.05 to 0.18 for planted triggers, 0.24 to 0.5 for templates.
_ALIKE = (1, 5)  # Jaccard index >= 1/5

_WORDS = f"regexp_extract_all(lower(text), '[\\pL\\pN]+')[:{_MOST_WORDS}]"
_TABLES = f"""
    CREATE TABLE poison_labels AS
    SELECT label, row_number() OVER (ORDER BY count(*) DESC, label) - 1 AS id, count(*) AS num_rows
    FROM rows GROUP BY label HAVING count(*) >= {_FEWEST_ROWS} ORDER BY id LIMIT {_MOST_LABELS};
    CREATE TABLE poison_rows AS
    SELECT row, poison_labels.id AS label, {_WORDS} AS words
    FROM rows JOIN poison_labels USING (label) ORDER BY row;
    CREATE TABLE poison_known AS
    SELECT poison_labels.id AS label, {_WORDS} AS words
    FROM (SELECT text, label FROM previous ORDER BY hash(text), text, label LIMIT {_MOST_KNOWN})
    JOIN poison_labels USING (label);
    CREATE VIEW poison_phrases AS
    SELECT row, label, unnest(list_distinct(list_concat(
        words,
        list_transform(range(1, len(words)), lambda i: words[i] || ' ' || words[i + 1]),
        list_transform(range(1, len(words) - 1), lambda i: words[i] || ' ' || words[i + 1] || ' ' || words[i + 2])
    ))) AS phrase FROM poison_rows;
    CREATE TABLE poison_frequent AS
    SELECT hash(phrase) AS key FROM poison_phrases GROUP BY key
    HAVING count(*) >= greatest({_FEWEST_ROWS}, {_LEAST_SHARE} * (SELECT count(*) FROM rows));
    CREATE TABLE poison_candidates AS
    SELECT phrase, arg_max(label, num_rows) AS label, max(num_rows) AS num_of_label, sum(num_rows) AS num_rows
    FROM (
        SELECT phrase, label, count(*) AS num_rows FROM poison_phrases
        WHERE hash(phrase) IN (SELECT key FROM poison_frequent) GROUP BY phrase, label
    )
    GROUP BY phrase HAVING num_of_label >= {_LEAST_PURITY} * sum(num_rows);
    CREATE TABLE poison_held AS
    SELECT phrase, row, words
    FROM poison_phrases JOIN poison_candidates USING (phrase, label) JOIN poison_rows USING (row);
    CREATE TABLE poison (phrase VARCHAR);
"""  # noqa: S608
_FIND = """
    SELECT row, '"' || phrase || '" stands with this label in ' || num_of_label || ' of ' || num_rows
        || ' rows, though the rest of them speaks for others' AS detail
    FROM poison JOIN poison_candidates USING (phrase) JOIN poison_held USING (phrase)
    QUALIFY row_number() OVER (PARTITION BY row ORDER BY length(phrase) DESC, phrase) = 1
"""

Words = frozenset[str]


@dataclass(frozen=True)
class LeftOut:
    """Rows of one label that a model is to know nothing of: how many, and in how many of them each word is."""

    label: int
    num_rows: int
    words: Mapping[str, int]


@dataclass(frozen=True)
class Candidate:
    """`rows` are some of the phrase's rows of this label; `left_out` is about all of them."""

    phrase: str
    label: int
    rows: Sequence[Words]
    left_out: LeftOut


class Model:
    """Naive Bayes over which words a row has (Maron 1961), as it would be without some of the rows."""

    def __init__(self, num_rows: Sequence[int], counts: Mapping[str, Mapping[int, int]]) -> None:
        """`num_rows` by label; `counts`: in how many rows of each label a word is."""
        import numpy as np

        self._num_rows = num_rows
        self._place = {word: place for place, word in enumerate(counts)}
        self._counts_WL = np.zeros((len(counts), len(num_rows)), np.float32)
        for by_label, row in zip(counts.values(), self._counts_WL, strict=True):
            row[list(by_label)] = list(by_label.values())
        self._logs_WL = np.log((self._counts_WL + _SMOOTHING) / (np.array(num_rows, np.float32) + 2 * _SMOOTHING))

    def against(self, words: Words, label: int, left_out: LeftOut) -> float:
        """How many nats a word the best other label is ahead of `label`; below 0 where `label` is the best itself."""
        import numpy as np

        known = [word for word in words if word in self._place]
        places = [self._place[word] for word in known]
        scores = self._logs_WL[places].sum(axis=0)
        counts = self._counts_WL[places, left_out.label] - [left_out.words.get(word, 0) for word in known]
        num_rows = self._num_rows[left_out.label] - left_out.num_rows
        scores[left_out.label] = np.log((counts + _SMOOTHING) / (num_rows + 2 * _SMOOTHING)).sum()
        own, scores[label] = scores[label], -np.inf
        return float(scores.max() - own) / max(1, len(known))


def usual_against(model: Model, label: int, usual: Sequence[tuple[Words, int]]) -> float:
    """The same for rows of other labels, in the middle; `usual`: rows of any label, with their labels."""
    others = [model.against(row, label, LeftOut(own, 1, dict.fromkeys(row, 1))) for row, own in usual if own != label]
    return median(others) if others else math.inf


def is_trigger(candidate: Candidate, model: Model, usual: float) -> bool:
    """Do the phrase's rows, without it unlike one another, speak against their label as rows of other labels do?"""
    own = set(candidate.phrase.split(" "))
    rests = [row - own for row in candidate.rows]
    against = [model.against(rest, candidate.label, candidate.left_out) for rest in rests]
    return (
        sum(value > 0 for value in against) >= _LEAST_OTHER * len(against)
        and median(against) >= _LEAST_AGAINST * usual > 0
        and not _are_alike(rests)
    )


def _are_alike(rows: Sequence[Words]) -> bool:
    """Most pairs of them."""
    near = [is_near(one, two, _ALIKE) for one, two in combinations(rows, 2)]
    return 2 * sum(near) >= len(near)


def _prepare(db: Any) -> None:
    for statement in _TABLES.split(";"):
        db.execute(statement)
    num_rows = [
        n
        for (n,) in db.execute(
            "SELECT num_rows + (SELECT count(*) FROM poison_known WHERE label = id) FROM poison_labels ORDER BY id"
        ).fetchall()
    ]
    candidates = [one for one in _candidates(db) if num_rows[one.label] - one.left_out.num_rows >= _FEWEST_OTHERS]
    if not candidates:
        return
    usual = [
        (frozenset(words), label)
        for words, label in db.execute(
            f"SELECT words, label FROM poison_rows ORDER BY hash(row), row LIMIT {_NUM_SAMPLED}"  # noqa: S608
        ).fetchall()
    ]
    needed = {word for one in candidates for row in one.rows for word in row} | {w for row, _ in usual for w in row}
    model = Model(num_rows, _counts(db, needed))
    usual_by_label = {label: usual_against(model, label, usual) for label in {one.label for one in candidates}}
    found = [one.phrase for one in candidates if is_trigger(one, model, usual_by_label[one.label])]
    if found:
        db.execute("INSERT INTO poison SELECT unnest(?)", [found])


def _candidates(db: Any) -> list[Candidate]:
    removed: dict[str, dict[str, int]] = defaultdict(dict)
    for phrase, word, number in db.execute(
        "SELECT phrase, word, count(*) FROM (SELECT phrase, unnest(list_distinct(words)) AS word FROM poison_held) "
        "GROUP BY phrase, word"
    ).fetchall():
        removed[phrase][word] = number
    sampled: dict[str, list[Words]] = defaultdict(list)
    for phrase, words in db.execute(
        "SELECT phrase, words FROM poison_held "  # noqa: S608
        f"QUALIFY row_number() OVER (PARTITION BY phrase ORDER BY hash(row), row) <= {_NUM_SAMPLED}"
    ).fetchall():
        sampled[phrase].append(frozenset(words))
    found = db.execute("SELECT phrase, label, num_of_label FROM poison_candidates ORDER BY phrase").fetchall()
    return [
        Candidate(phrase, label, sampled[phrase], LeftOut(label, number, removed[phrase]))
        for phrase, label, number in found
    ]


def _counts(db: Any, needed: set[str]) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = defaultdict(dict)
    for word, label, number in db.execute(
        "SELECT word, label, count(*) FROM (SELECT unnest(list_distinct(words)) AS word, label FROM "
        "(SELECT words, label FROM poison_rows UNION ALL SELECT words, label FROM poison_known)) "
        "WHERE word IN (SELECT unnest(?)) GROUP BY word, label",
        [sorted(needed)],
    ).fetchall():
        counts[word][label] = number
    return counts


POISON = Screen(
    "poison",
    "no phrase brings out one label although the rest of its rows speaks for others",
    ANY_ACTION,
    _FIND,
    _prepare,
)
