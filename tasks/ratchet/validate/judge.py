"""One DuckDB pass over an upload: every row gets its reasons, then goes to the accepted or the quarantined rows.

Tables: `judged` has the file's rows in order, with the row rules that each breaks (`broken`, one bit each: a list is
slow, and most rows break none), and the view `numbered` their numbers and all columns; `found` what the screens
found, and `screened` the same by row. The view `verdicts` joins both.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from ratchet.clients.files import NO_SPACE, disk_full
from ratchet.validate import parquet
from ratchet.validate.bad_upload import BadUpload
from ratchet.validate.columns import Columns, find_columns
from ratchet.validate.contract import Action, Example, ReasonCount
from ratchet.validate.counts import Counts
from ratchet.validate.csv_text import csv_header, tidy_csv
from ratchet.validate.json_lines import bad_json_line, jsonl_names
from ratchet.validate.policy import Rule
from ratchet.validate.rules import RowRule
from ratchet.validate.screens.screen import Screen
from ratchet.validate.sources import Source, csv_source, jsonl_source, parquet_source
from ratchet.validate.sql import quoted, trimmed
from ratchet.validate.upload import Upload

_NUM_EXAMPLES = 3
_MOST_LABELS = 500  # in prompt/completion data every label is another
# DuckDB's words for it: the operating system's, or its own limit on what it spills, nine tenths of the free space.
_FULL = (*(os.strerror(number) for number in NO_SPACE), "max_temp_directory_size")
# To keep a column of nothing but NULL takes a tenth of the time of a scan, so these are kept only where there are some.
_OPTIONAL = {"quality_score": "DOUBLE", "source": "VARCHAR", "problem": "VARCHAR"}
_MEMORY_LIMIT = "1GB"  # beyond it DuckDB spills to the scratch folder


class JudgedRows:
    """The rows of one upload with their reasons, in a database that spills into `scratch`. Row 1 is the first data row.

    `actions` says by rule what happens to rows that break it; `max_bytes` limits what Parquet may hold, unpacked.
    """

    def __init__(self, scratch: Path, actions: Mapping[str, Action], max_bytes: int) -> None:
        self._scratch = scratch
        self._actions = actions
        self._max_bytes = max_bytes
        self._source: Source
        self._rules: Sequence[RowRule] = ()
        self._db: Any = duckdb.connect(":memory:")
        self._db.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
        self._db.execute(f"SET temp_directory = {quoted(str(scratch / 'spill'))}")

    def __enter__(self) -> "JudgedRows":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        if isinstance(error, duckdb.Error) and _is_full(error):
            raise disk_full(self._scratch, str(error).splitlines()[0]) from error

    def judge(
        self,
        upload: Upload,
        text_column: str | None,
        label_column: str | None,
        rules: Sequence[RowRule],
        source_columns: Sequence[str] = (),
    ) -> Columns:
        """The pass; says which columns it took. Raises BadUpload, WrongColumns."""
        named = (text_column, label_column, upload.name, source_columns)
        if upload.kind == "csv":
            delimiter, names = csv_header(upload)
            columns = find_columns(names, *named)
            self._judge_csv(upload, delimiter, names, columns, rules)
        elif upload.kind == "jsonl":
            columns = find_columns(jsonl_names(upload), *named, may_chat=True)
            self._judge_jsonl(upload, columns, rules)
        else:
            types = parquet.types_of(self._db, upload)
            columns = find_columns(list(types), *named, may_chat=True)
            self._judge_parquet(upload, types, columns, rules)
        if not self.ask("FROM judged LIMIT 1"):
            raise BadUpload(f"{upload.name}: no rows ({upload.num_bytes} bytes): expected data rows below the header")
        if upload.kind == "csv" and not upload.ends_with_line_break:
            self._refuse_a_cut_row(upload, label_is_last=names[-1] == columns.label)
        return columns

    def screen(self, screens: Iterable[Screen], previous: Path | None) -> None:
        """Look at the rows that the row rules keep; once, after the pass. `previous`: JSON lines of Row."""
        self._db.execute(f"CREATE TABLE previous AS {_version(previous)}")
        self._db.execute(f"""
            CREATE VIEW rows AS
            SELECT row, text, label, quality_score, source FROM numbered WHERE {self._kept()}
        """)  # noqa: S608
        self._db.execute("CREATE TABLE found (row BIGINT, reason VARCHAR, action VARCHAR, detail VARCHAR)")
        for screen in screens:
            if (action := self._actions[screen.reason]) != "off":
                self._apply(screen, action)
        self._join_found()
        self._db.execute(f"""
            CREATE VIEW verdicts AS
            SELECT row, text, label, quality_score,
                list_concat(CASE WHEN problem IS NULL THEN [] ELSE [problem] END, coalesce(details, [])) AS details,
                list_concat({self._named("quarantine")}, coalesce(left_out, [])) AS reasons,
                list_concat({self._named("warn")}, coalesce(warned, [])) AS warnings,
                coalesce(redacted, []) AS redactions,
                {self._kept()} AND left_out IS NULL AS is_accepted, broken = 0 AND found_row IS NULL AS is_clean
            FROM numbered LEFT JOIN screened ON found_row = row
        """)  # noqa: S608
        self._db.execute("CREATE VIEW accepted AS SELECT * FROM verdicts WHERE is_accepted")

    def _apply(self, screen: Screen, action: Action) -> None:
        if screen.prepare:
            screen.prepare(self._db)
        found = f"SELECT row, '{screen.reason}', '{action}', detail FROM ({screen.find_sql})"  # noqa: S608
        self._db.execute(f"INSERT INTO found {found}")
        if screen.hidden_sql and action != "warn":
            self._db.execute(f"""
                UPDATE judged SET text = hidden.text, label = hidden.label
                FROM ({screen.hidden_sql}) AS hidden WHERE judged.rowid + 1 = hidden.row
            """)  # noqa: S608

    def _join_found(self) -> None:
        """Once for all who ask: grouping it anew in each query took longer than the query."""
        self._db.execute("""
            CREATE OR REPLACE TABLE screened AS
            SELECT row AS found_row, list(reason ORDER BY rowid) FILTER (action = 'quarantine') AS left_out,
                list(reason ORDER BY rowid) FILTER (action = 'warn') AS warned,
                list(reason ORDER BY rowid) FILTER (action = 'redact') AS redacted,
                list(detail ORDER BY rowid) FILTER (action = 'quarantine') AS details
            FROM found GROUP BY row
        """)

    def judge_again(self, rules: Iterable[RowRule]) -> None:
        """Whether redacted rows keep these rules as they are now: the accepted rows are fit to be sent again."""
        for rule in rules:
            action = self._actions[rule.reason]
            if action != "off":
                self._db.execute(f"""
                    INSERT INTO found SELECT row, '{rule.reason}', '{action}', 'once redacted' FROM verdicts
                    WHERE len(redactions) > 0 AND NOT ({rule.keeps_sql})
                        AND NOT list_contains(list_concat(reasons, warnings), '{rule.reason}')
                """)  # noqa: S608
        self._join_found()

    def counts(self, rules: Sequence[Rule]) -> Counts:
        """Clean rows are only counted: the lists of their reasons are empty."""
        [[num_read]] = self.ask("SELECT count(*) FROM judged")
        [[num_quarantined, num_redacted, num_warned]] = self.ask(
            "SELECT count(*) FILTER (NOT is_accepted), count(*) FILTER (is_accepted AND len(redactions) > 0), "
            "count(*) FILTER (is_accepted AND len(warnings) > 0) FROM verdicts WHERE NOT is_clean"
        )
        broken = {
            reason: (num_rows, tuple(Example(row=row) for row in examples))
            for reason, num_rows, examples in self.ask(
                f"SELECT reason, count(*), min(row, {_NUM_EXAMPLES}) "  # noqa: S608
                "FROM (SELECT row, unnest(list_concat(reasons, redactions, warnings)) AS reason FROM verdicts "
                "WHERE NOT is_clean) GROUP BY reason"
            )
        }
        reasons = []
        for rule in rules:
            num_rows, examples = broken.get(rule.reason, (0, ()))
            action = self._actions[rule.reason]
            reasons.append(
                ReasonCount(reason=rule.reason, rule=rule.words, action=action, num_rows=num_rows, examples=examples)
            )
        labels = self.ask(f"""
            SELECT label, count(*) AS num_rows, count(*) OVER (), sum(count(*)) OVER ()::BIGINT FROM accepted
            GROUP BY label ORDER BY num_rows DESC, label LIMIT {_MOST_LABELS}
        """)  # noqa: S608
        return Counts(
            num_read=num_read,
            num_accepted=labels[0][3] if labels else 0,
            num_quarantined=num_quarantined,
            num_redacted=num_redacted,
            num_warned=num_warned,
            reasons=tuple(reasons),
            num_labels=labels[0][2] if labels else 0,
            labels=tuple((label, num_rows) for label, num_rows, *_ in labels),
        )

    def write_accepted(self, target: Path) -> Path:
        """JSON lines of core.datasets.Row, in the file's order; `id` is the sha256 of text, U+0000, label."""
        query = "SELECT sha256(text || chr(0) || label) AS id, text, label, quality_score FROM accepted ORDER BY row"
        return self._copy(query, target)

    def write_quarantine(self, target: Path) -> Path:
        """JSON lines of {"row", "reasons", "details", "fields"}; `fields` is the row as it stood in the file."""
        again = self._source
        query = f"""
            SELECT row, reasons, details, {again.fields} AS fields
            FROM verdicts JOIN (SELECT *, row_number() OVER () AS number FROM {again.relation}) ON number = row
            WHERE NOT is_accepted ORDER BY row
        """  # noqa: S608
        return self._copy(query, target)

    def _judge_jsonl(self, upload: Upload, columns: Columns, rules: Sequence[RowRule]) -> None:
        # With several threads DuckDB's JSON reader now and then gives the last line before the others.
        self._db.execute("SET threads = 1")
        try:
            self._judge(jsonl_source(upload.path, columns), upload.signs, rules)
        except duckdb.InvalidInputException as error:
            raise bad_json_line(upload, str(error)) from None

    def _judge_csv(
        self, upload: Upload, delimiter: str, names: list[str], columns: Columns, rules: Sequence[RowRule]
    ) -> None:
        try:
            self._judge(csv_source(upload.path, delimiter, names, columns, tidied=False), upload.signs, rules)
        except duckdb.InvalidInputException:
            # Rows of other widths, mixed line breaks, bad quotes: the slow reader mends the file or says where.
            tidied = self._scratch / "tidied.csv"
            tidy_csv(upload, delimiter, len(names), tidied)
            self._judge(csv_source(tidied, delimiter, names, columns, tidied=True), upload.signs, rules)

    def _judge_parquet(
        self, upload: Upload, types: Mapping[str, str], columns: Columns, rules: Sequence[RowRule]
    ) -> None:
        parquet.refuse_wrong_types(types, columns, upload.name)
        parquet.refuse_a_bomb(self._db, upload, types, self._max_bytes)
        try:
            self._judge(parquet_source(parquet.relation(upload), types, columns), upload.signs, rules)
        except duckdb.Error as error:
            if _is_full(error):
                raise
            raise parquet.bad_parquet(upload, error) from None

    def _judge(self, source: Source, held: AbstractSet[str] | None, rules: Sequence[RowRule]) -> None:
        self._source, self._rules = source, rules
        kept = ", ".join(["text", "label", "broken", *sorted(source.given)])
        nulls = [f"NULL::{_OPTIONAL[column]} AS {column}" for column in sorted(_OPTIONAL.keys() - source.given)]
        self._db.execute(f"""
            CREATE OR REPLACE TABLE judged AS
            SELECT {kept}
            FROM (
                SELECT *, {self._broken(held)} AS broken, coalesce(malformed, conversation) AS problem
                FROM (
                    SELECT *, {source.malformed} AS malformed, {source.conversation} AS conversation,
                        {trimmed(source.text, held)} AS text, {trimmed(source.label, held)} AS label,
                        {trimmed(source.quality, held)} AS quality_given,
                        try_cast(quality_given AS DOUBLE) AS quality_score,
                        {trimmed(source.source, held)} AS source
                    FROM {source.relation}
                )
            )
        """)  # noqa: S608
        columns = ", ".join(["rowid + 1 AS row", "*", *nulls])
        self._db.execute(f"CREATE OR REPLACE VIEW numbered AS SELECT {columns} FROM judged")  # noqa: S608

    def _bits(self, *actions: Action) -> dict[str, int]:
        """By the reason of the row rules with these actions: its bit in `broken`."""
        reasons = [rule.reason for rule in self._rules]
        return {reason: 1 << place for place, reason in enumerate(reasons) if self._actions[reason] in actions}

    def _broken(self, held: AbstractSet[str] | None) -> str:
        """SQL for the bits of the rules that a row breaks. Most rows keep all."""
        bits = self._bits("quarantine", "warn")
        keeps = {rule.reason: f"({rule.keeps(held)})" for rule in self._rules if rule.reason in bits}
        broken = " + ".join(f"CASE WHEN {sql} THEN 0 ELSE {bits[reason]} END" for reason, sql in keeps.items())
        return f"CASE WHEN {' AND '.join(keeps.values())} THEN 0 ELSE {broken} END::USMALLINT"

    def _kept(self) -> str:
        """SQL: no row rule leaves this row out."""
        return f"(broken & {sum(self._bits('quarantine').values())} = 0)"

    def _named(self, action: Action) -> str:
        """SQL for the list of the row rules with this action that a row breaks."""
        bits = self._bits(action)
        named = ", ".join(f"CASE WHEN broken & {bit} > 0 THEN '{reason}' END" for reason, bit in bits.items())
        broken = f"list_filter([{named}]::VARCHAR[], lambda reason: reason IS NOT NULL)"
        return f"CASE WHEN broken & {sum(bits.values())} = 0 THEN [] ELSE {broken} END"

    def _refuse_a_cut_row(self, upload: Upload, label_is_last: bool) -> None:
        """A CSV file cut inside its last field still parses. One that ends with a label of other rows is whole."""
        row, num_rows_of_label = self.ask(
            "SELECT count(*), count(*) FILTER (label = (SELECT last(label ORDER BY rowid) FROM judged)) FROM judged"
        )[0]
        if not (label_is_last and num_rows_of_label > 1):
            raise BadUpload(
                f"{upload.name}: the file ends at byte {upload.num_bytes} without a line break, in row {row}: its last "
                "field may be cut off; send the whole file again, or add a line break at its end if this is the whole"
            )

    def _copy(self, query: str, target: Path) -> Path:
        self._db.execute(f"COPY ({query}) TO {quoted(str(target))} (FORMAT json)")
        return target

    def ask(self, query: str) -> list[Any]:
        return list(self._db.execute(query).fetchall())


def _is_full(error: duckdb.Error) -> bool:
    return any(words in str(error) for words in _FULL)


def _version(rows: Path | None) -> str:
    if rows is None:
        return "SELECT '' AS text, '' AS label WHERE false"
    columns = "{text: 'VARCHAR', label: 'VARCHAR'}"
    return f"SELECT * FROM read_json({quoted(str(rows))}, format = 'newline_delimited', columns = {columns})"  # noqa: S608
