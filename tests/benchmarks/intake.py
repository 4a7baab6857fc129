"""What reading an upload costs, against one plain scan of the same file and against Great Expectations on pandas.

    .venvs/data/bin/python -m tests.benchmarks.intake [--rows 1000000] [--big 10000000] [--rounds 9]

Rows are banking77's (../shared/data), or made up where that file is absent, each with a number of its own. Seconds are
of CPU, of all threads: on a machine that others use, the clock says more about them.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from tests.benchmarks import screens

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.validate.contract import DataRules, ValidateInputs
from ratchet.validate.judge import JudgedRows
from ratchet.validate.policy import actions_of
from ratchet.validate.rules import row_rules
from ratchet.validate.screens.all import screens_of
from ratchet.validate.screens.near import NEAR_DUPLICATE
from ratchet.validate.screens.personal import personal_screen
from ratchet.validate.sql import quoted
from ratchet.validate.upload import Upload, open_upload

ROOT = Path(__file__).parents[2]
BANKING77 = ROOT.parent / "shared" / "data" / "banking77_train.csv"
RULES = DataRules(suite_json=(ROOT / "expectations" / "support.json").read_text("utf-8"))
SIZES = (10_000, 100_000)
# Embeddings are of another image.
EMBEDDER = ROOT / ".venvs" / "evaluate" / "bin" / "python"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--big", type=int, default=0, help="and the memory at this size, such as 10000000")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(cost_of(CHILDREN[options.child], options.file)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| what | rows | CPU seconds | rows/s | against the second | by the clock |\n|---|---|---|---|---|---|")
        speed(folder, options.rows, options.rounds)
        print("\n| screen, alone | rows | rows/s of CPU |\n|---|---|---|")
        rates(folder)
        embedding_rates()
        print("\n| what, in a process of its own | rows | peak memory, MiB | seconds of CPU |\n|---|---|---|---|")
        for size in (*SIZES, options.rows, *([options.big] if options.big else [])):
            memory(folder, "without screens", size)
        for size in SIZES:
            memory(folder, "the whole step", size)


def speed(folder: Path, num_rows: int, rounds: int) -> None:
    """Interleaved; medians."""
    great_expectations(made(folder, 1000))  # its import takes seconds
    path = made(folder, num_rows)
    upload = opened(path)
    works: dict[str, Callable[[], object]] = {
        "scan that counts": lambda: scan(path),
        "scan that keeps the columns in a table": lambda: scan_into_a_table(path),
        "the look at the bytes": lambda: opened(path),
        "row rules and statistics": lambda: rules_and_statistics(upload),
        "Great Expectations on pandas, the same rules": lambda: great_expectations(path),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    medians = {name: [statistics.median(side) for side in zip(*of, strict=True)] for name, of in taken.items()}
    kept_cpu, kept_clock = medians["scan that keeps the columns in a table"]
    for name, (cpu, clock) in medians.items():
        told = f"{cpu:.2f} | {num_rows / cpu:,.0f} | {cpu / kept_cpu:.1f} | {clock / kept_clock:.1f}"
        print(f"| {name} | {num_rows:,} | {told} |", flush=True)


def rates(folder: Path, num_rows: int = 100_000) -> None:
    rows = screens.recombined(screens.read(made(folder, 10_003), "label"), num_rows)
    taken: dict[str, float] = {}
    screens.found_by([NEAR_DUPLICATE, personal_screen(RULES.phone_regions)], rows, taken)
    for reason, cpu in taken.items():
        print(f"| {reason} | {num_rows:,} | {num_rows / cpu:,.0f} |", flush=True)


def embedding_rates() -> None:
    base = next(ROOT.glob(".ratchet/cache/ratchet-tiny-*"), None)
    if not (base and BANKING77.exists()):
        print("\nEmbeddings: not measured, for want of a base (`make up` makes one) or of the data.")
        return
    print(flush=True)
    command = [EMBEDDER, "-m", "tests.benchmarks.drift", BANKING77.parent, base, "--rates"]
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT)


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of CPU, and by the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - clock


def made(folder: Path, num_rows: int) -> Path:
    path = folder / f"{num_rows}.csv"
    if not path.exists():
        rows = "SELECT 'My card is late, time ' || i AS text, 'label_' || i % 77 AS label FROM range(10003) t(i)"
        if BANKING77.exists():
            rows = f"SELECT text, category AS label FROM read_csv({quoted(str(BANKING77))})"
        duckdb.execute(f"""
            COPY (
                SELECT text || ' ' || i // 10003 AS text, label
                FROM range({num_rows}) t(i)
                JOIN (SELECT *, row_number() OVER () - 1 AS r FROM ({rows})) ON r = i % 10003
            ) TO {quoted(str(path))} (HEADER)
        """)
    return path


def relation(path: Path) -> str:
    options = "header = true, auto_detect = false, strict_mode = true, delim = ',', quote = '\"', escape = '\"'"
    return f"read_csv({quoted(str(path))}, columns = {{text: 'VARCHAR', label: 'VARCHAR'}}, {options})"


def scan(path: Path) -> None:
    query = f"SELECT count(*), sum(strlen(text)), sum(strlen(label)) FROM {relation(path)}"
    duckdb.connect(":memory:").execute(query).fetchall()


def scan_into_a_table(path: Path) -> None:
    duckdb.connect(":memory:").execute(f"CREATE TABLE kept AS SELECT text, label FROM {relation(path)}")


def opened(path: Path) -> Upload:
    """Is it text, is it whole, which rare characters does it hold?"""
    return open_upload(path, path.name, RULES.max_upload_bytes)


def rules_and_statistics(upload: Upload, write: bool = False) -> None:
    rules = row_rules(RULES)
    with tempfile.TemporaryDirectory() as scratch:
        actions = actions_of((*rules, *screens_of(RULES, {})), {})
        with JudgedRows(Path(scratch), actions, RULES.max_upload_bytes) as rows:
            rows.judge(upload, None, None, rules)
            rows.screen((), None)
            rows.counts(rules)
            if write:
                rows.write_accepted(Path(scratch) / "accepted")
                rows.write_quarantine(Path(scratch) / "quarantine")


def great_expectations(path: Path) -> None:
    import great_expectations as gx
    import pandas as pd

    from ratchet.core.injection import TEMPLATE_MARK
    from ratchet.validate.rules import CONTROL_CHARACTER

    frame = pd.read_csv(path, dtype=str, keep_default_na=False).replace("", None)
    known: list[Any] = []
    for column, lengths in (("text", RULES.text_characters), ("label", RULES.label_characters)):
        least, most = lengths
        known += [
            gx.expectations.ExpectColumnValuesToNotBeNull(column=column),
            gx.expectations.ExpectColumnValueLengthsToBeBetween(column=column, min_value=least, max_value=most),
            gx.expectations.ExpectColumnValuesToNotMatchRegex(
                column=column, regex=CONTROL_CHARACTER.replace(r"\x{9f}", r"\x9f")
            ),
            gx.expectations.ExpectColumnValuesToNotMatchRegex(column=column, regex=TEMPLATE_MARK),
        ]
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    assert batch.validate(gx.ExpectationSuite(name="rows", expectations=known)).success


def memory(folder: Path, what: str, num_rows: int) -> None:
    """In a process of its own, which has never held anything else."""
    path = made(folder, num_rows)
    command = [sys.executable, "-m", "tests.benchmarks.intake", "--child", what, "--file", str(path)]
    done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"| {what} | {num_rows:,} | {done['peak_mib']:,.0f} | {done['cpu_seconds']:.1f} |", flush=True)
    path.unlink()


def cost_of(work: Callable[[Path], None], path: Path) -> dict[str, float]:
    work(path)
    # Not getrusage: its peak is also that of the process this one was forked from.
    peak = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmHWM"))
    return {"peak_mib": int(peak.split()[1]) / 1024, "cpu_seconds": time.process_time()}


def step(path: Path) -> None:
    """The whole step with its screens and Great Expectations, as a release runs it."""
    from ratchet.validate.run import run

    with tempfile.TemporaryDirectory() as state:
        world = World(Settings(root=Path(state)), Path(state) / "work")
        run(ValidateInputs(upload=world.store.put_file(path), file_name=path.name, rules=RULES), world)


def without_screens(path: Path) -> None:
    rules_and_statistics(opened(path), write=True)


CHILDREN: dict[str, Callable[[Path], None]] = {"without screens": without_screens, "the whole step": step}

if __name__ == "__main__":
    main()
