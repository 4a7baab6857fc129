"""CSV, where DuckDB's strict reader cannot say what is wrong: the header, files to be mended, rows that are broken.

text,label
"My card, please",card_arrival
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from ratchet.validate.bad_upload import CUT_OFF, BadUpload
from ratchet.validate.upload import MAX_LINE_BYTES, Upload

_DELIMITERS = ",;\t|"


def csv_header(upload: Upload) -> tuple[str, list[str]]:
    """The delimiter (of , ; tab |, the one that makes most columns) and the names of the first line."""
    found = [(delimiter, _first_record(upload, delimiter)) for delimiter in _DELIMITERS]
    delimiter, names = max(found, key=lambda pair: len(pair[1]))
    return delimiter, [name.strip() for name in names]


def _first_record(upload: Upload, delimiter: str) -> list[str]:
    with _Records(upload, delimiter, strict=False) as records:
        try:
            return next(records, [])
        except csv.Error as error:
            raise BadUpload(f"{upload.name}: the header in line 1 cannot be read as CSV: {error}") from None


def tidy_csv(upload: Upload, delimiter: str, num_columns: int, target: Path) -> None:
    """Copy a CSV file that DuckDB's strict reader refuses: one kind of line break, every row as wide as the header.

    A row of another width becomes empty fields and, in one more column, its fields as a JSON list.
    Raises BadUpload where quotes are not closed or not doubled, and for a file that ends inside a row.
    """
    width = num_columns
    with (
        _Records(upload, delimiter, strict=True) as records,
        target.open("w", encoding="utf-8", newline="") as copy,
    ):
        writer = csv.writer(copy, lineterminator="\n", delimiter=delimiter)
        try:
            for fields in records:
                width = len(fields)
                whole = width == num_columns
                writer.writerow(
                    [*fields, ""] if whole else [""] * num_columns + [json.dumps(fields, ensure_ascii=False)]
                )
        except csv.Error as error:
            raise BadUpload(_bad_quotes(upload, records, str(error))) from None
    if width < num_columns and not upload.ends_with_line_break:
        raise BadUpload(
            f"{upload.name}: the file ends at byte {upload.num_bytes} inside row {records.row}, after {width} of "
            f"{num_columns} fields: {CUT_OFF}"
        )


class _Records:
    """The records of a CSV file that are not empty; the header is `row` 0. Memory holds one, of limited size."""

    def __init__(self, upload: Upload, delimiter: str, strict: bool) -> None:
        self.row, self.line = -1, 1
        self._name, self._length = upload.name, 0
        csv.field_size_limit(2 * MAX_LINE_BYTES)  # the limit on the whole record comes first
        self._file = upload.path.open(encoding="utf-8", newline="")
        self._reader = csv.reader(self._lines(), delimiter=delimiter, strict=strict)

    def __enter__(self) -> "_Records":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> "_Records":
        return self

    def __next__(self) -> list[str]:
        """Raises BadUpload for a record that goes on and on, csv.Error for one that is broken."""
        while True:
            self.line, self._length = self._reader.line_num + 1, 0
            if fields := next(self._reader):
                self.row += 1
                return fields

    def _lines(self) -> Iterator[str]:
        for line in self._file:
            self._length += len(line)
            if self._length > MAX_LINE_BYTES:
                raise BadUpload(
                    f"{self._name}: row {self.row + 1}, which starts in line {self.line}, is longer than "
                    f"{MAX_LINE_BYTES} characters: is a quote not closed?"
                )
            yield line


def _bad_quotes(upload: Upload, records: _Records, problem: str) -> str:
    where = f"{upload.name}: row {records.row + 1}, which starts in line {records.line}"
    if "unexpected end" in problem:
        return (
            f"{where}, opens a quote that is still open where the file ends, at byte {upload.num_bytes}: "
            'the file was cut off, or a closing " is missing'
        )
    return f'{where}, cannot be read as CSV ({problem}): expected quoted fields to end with ", quotes inside doubled'
