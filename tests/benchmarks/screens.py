"""What each screen finds of planted dirt, what it takes wrongly, and how fast it is: the tables of docs/data.md.

    .venvs/data/bin/python -m tests.benchmarks.screens ../shared/data .ratchet/cache/ratchet-tiny-…

The folder holds banking77_train.csv, banking77_test.csv and gsm8k_test.jsonl; the other is the base model whose tokens
are counted.
"""

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from random import Random

from tests.benchmarks.dirt import Row, soils, wrappings
from tests.fakes.moderation import moderation, wordlist

from ratchet.clients.moderation import Moderator
from ratchet.core.contract import canonical_json
from ratchet.validate.contract import DataRules
from ratchet.validate.judge import JudgedRows
from ratchet.validate.policy import actions_of
from ratchet.validate.rules import row_rules
from ratchet.validate.screens.all import screens_of
from ratchet.validate.screens.screen import Screen
from ratchet.validate.screens.tokens import TrainingLength, tokens_screen
from ratchet.validate.upload import open_upload

RULES = DataRules(suite_json="{}", languages=("en",))
PROMPT = "Give a label for: {text}"
MAX_TOKENS = 256
FIELDS = ("text", "label", "source", "quality_score")


@dataclass(frozen=True)
class Beside:
    """What screens compare rows with, or ask. `classifier` is the URL of a word list behind the moderation API."""

    questions: Path
    base: Path
    classifier: str
    previous: tuple[Row, ...] = ()

    def screens(self) -> tuple[Screen, ...]:
        length = TrainingLength(self.base, PROMPT, MAX_TOKENS)
        return screens_of(RULES, {"gsm8k": self.questions}, length, Moderator(self.classifier, "wordlist"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("--num-planted", type=int, default=100)
    parser.add_argument("--num-dealings", type=int, default=100)
    parser.add_argument("--num-rows", type=int, default=100_000)
    options = parser.parse_args()
    rows, previous = (read(options.data / f"banking77_{part}.csv", "category") for part in ("train", "test"))
    with moderation(wordlist) as (url, _):
        beside = Beside(options.data / "gsm8k_test.jsonl", options.base, url)
        print_found(rows, replace(beside, previous=tuple(previous)), options.num_planted)
        print_recall_of_questions(rows, beside)
        print_bursts(rows, beside, options.num_dealings)
        print_speed(rows, beside, options.num_rows)


def read(path: Path, label: str) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row[label]) for row in csv.DictReader(file)]


def print_found(rows: list[Row], beside: Beside, num_planted: int) -> None:
    """banking77's test file is the version that the rows would be added to."""
    before = found_in(rows, beside)
    print(f"| screen or rule | planted | found of {num_planted} | wrongly taken | in the {len(rows)} as they are |")
    print("|---|---|---|---|---|")
    half = len(rows) // 2
    for reason, dirt, soil in soils(rows[:half], beside.previous, questions_of(beside)):
        random = Random(dirt)
        places = random.sample(range(half, len(rows)), num_planted)
        soiled = list(rows)
        for place in places:
            soiled[place] = soil(rows[place], random)
        found = found_in(soiled, beside, only=reason)[reason]
        planted = {place + 1 for place in places}
        wrong = found - planted - before[reason]
        print(f"| `{reason}` | {dirt} | {len(found & planted)} | {len(wrong)} | {len(before[reason])} |", flush=True)


def print_recall_of_questions(rows: list[Row], beside: Beside) -> None:
    random = Random(1)
    asked = questions_of(beside)
    print(f"\n| question of gsm8k (n = {len(asked)}) | found |\n|---|---|")
    for name, wrap in wrappings(random).items():
        found = found_in([(wrap(text), "math") for text in asked], beside, only="contamination")["contamination"]
        print(f"| {name} | {len(found) / len(asked):.1%} |", flush=True)
    before = found_in(rows, beside, only="contamination")["contamination"]
    print(f"| none: banking77's rows (n = {len(rows)}) | {len(before)} rows |")


def print_bursts(rows: list[Row], beside: Beside, num_dealings: int) -> None:
    """Sources are as unlike in size as people are: the nth sends 1/n of what the first sends (Zipf)."""
    labels = sorted({label for _, label in rows})

    def dealt(random: Random, of_a_topic: float = 0.0) -> list[Row]:
        numbers = range(1, 501)
        sources = random.choices(numbers, weights=[1 / n for n in numbers], k=len(rows))
        favourite = [random.choice(labels) for _ in range(501)]
        by_label = {label: [row for row in rows if row[1] == label] for label in labels}
        picked = random.choices(rows, k=len(rows))
        return [
            (*(random.choice(by_label[favourite[source]]) if random.random() < of_a_topic else row), str(source))
            for row, source in zip(picked, sources, strict=True)
        ]

    def alarmed(made: list[Row]) -> set[int]:
        return found_in(made, beside, only="burst")["burst"]

    print(
        "\n| rows of banking77, dealt to 500 sources | files with a false alarm | rows taken wrongly |\n|---|---|---|"
    )
    for name, share in (("at random", 0.0), ("half of a source's rows on its own topic", 0.5)):
        told = [alarmed(dealt(Random(seed), share)) for seed in range(num_dealings)]
        print(f"| {name} | {sum(map(bool, told))} of {num_dealings} | {sum(map(len, told))} |", flush=True)
    kinds: dict[str, Callable[[Row, int], Row]] = {
        "one label": lambda row, _: (row[0], "pending_transfer", "bot"),
        "four in five one label": lambda row, n: (row[0], "pending_transfer" if n % 5 else row[1], "bot"),
        "one beginning": lambda row, n: (f"I would like to ask about number {n}, {row[0]}", row[1], "bot"),
    }
    print("\n| one more source that sends | rows | found in 10 files | other rows taken |\n|---|---|---|---|")
    for name, sent in kinds.items():
        for num_rows in (20, 50, 100):
            flood = [[sent(row, n) for n, row in enumerate(Random(seed).sample(rows, num_rows))] for seed in range(10)]
            told = [alarmed([*dealt(Random(seed)), *flood[seed]]) for seed in range(10)]
            wrong = sum(row <= len(rows) for found in told for row in found)
            print(f"| {name} | {num_rows} | {sum(map(bool, told))} of 10 | {wrong} |", flush=True)


def print_speed(rows: list[Row], beside: Beside, num_rows: int) -> None:
    """`toxicity` asks a word list in this same process, so what is left is the asking."""
    made = recombined(rows, num_rows)
    seconds: dict[str, float] = {}
    found_by(beside.screens(), made, seconds)
    every_row: dict[str, float] = {}
    found_by([tokens_screen(TrainingLength(beside.base, PROMPT, 1))], made, every_row)
    seconds["tokens, each row counted"] = every_row["tokens"]
    print(f"\n| screen | rows/s of CPU at {num_rows} rows |\n|---|---|")
    for reason, taken in seconds.items():
        print(f"| `{reason}` | {num_rows / taken:,.0f} |", flush=True)


def recombined(rows: Sequence[Row], num_rows: int) -> list[Row]:
    """Each made of the halves of two others, from 500 sources: as unlike one another as users' rows are."""
    random = Random(2)
    texts = [text.split() for text, *_ in rows]
    numbers = range(1, 501)
    sources = random.choices(numbers, weights=[1 / n for n in numbers], k=num_rows)
    return [
        (" ".join(one[: len(one) // 2] + other[len(other) // 2 :]), label, str(source))
        for one, other, (_, label, *_), source in (
            (random.choice(texts), random.choice(texts), random.choice(rows), source) for source in sources
        )
    ]


def found_in(rows: Sequence[Row], beside: Beside, only: str | None = None) -> dict[str, set[int]]:
    """The rows that each screen finds, one screen at a time, and those that the row rules leave out."""
    screens = [screen for screen in beside.screens() if only in (None, screen.reason)]
    return found_by(screens, rows, {}, beside.previous)


def found_by(
    screens: Sequence[Screen], rows: Sequence[Row], seconds: dict[str, float], previous: Sequence[Row] = ()
) -> dict[str, set[int]]:
    """`seconds` is told the seconds of CPU that each takes."""
    with _judged(rows, screens, previous) as judged:
        found = {rule.reason: set[int]() for rule in row_rules(RULES)}
        for row, reason in judged.ask("SELECT row, unnest(reasons) FROM verdicts WHERE NOT is_clean"):
            found[reason].add(row)
        for screen in screens:
            started = time.process_time()
            judged._apply(screen, "warn")
            seconds[screen.reason] = time.process_time() - started
            query = f"SELECT row FROM found WHERE reason = '{screen.reason}'"
            found[screen.reason] = {row for (row,) in judged.ask(query)}
    return found


@contextmanager
def _judged(rows: Sequence[Row], screens: Sequence[Screen], previous: Sequence[Row]) -> Iterator[JudgedRows]:
    rules = row_rules(RULES)
    with tempfile.TemporaryDirectory() as folder:
        path, version = Path(folder) / "rows.jsonl", Path(folder) / "previous.jsonl"
        for target, held in ((path, rows), (version, previous)):
            target.write_bytes(b"".join(canonical_json(dict(zip_longest(FIELDS, row))) + b"\n" for row in held))
        with JudgedRows(Path(folder), actions_of((*rules, *screens), {}), RULES.max_upload_bytes) as judged:
            upload = open_upload(path, path.name, RULES.max_upload_bytes)
            judged.judge(upload, None, None, rules, RULES.source_columns)
            judged.screen((), version if previous else None)
            yield judged


def questions_of(beside: Beside) -> list[str]:
    return [json.loads(line)["question"] for line in beside.questions.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
