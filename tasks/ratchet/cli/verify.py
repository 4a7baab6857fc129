"""`ratchet verify`: what clients/verification.py gathers and core/verification.py judges, for people and machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ratchet.core.verification import Row, Standing, exit_code

_STYLES: dict[Standing, str] = {"ok": "green", "differs": "red", "cannot tell": "yellow"}


def show(rows: Sequence[Row], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for heading, width in (("what", len("alias production")), ("", len("cannot tell")), ("answer", None)):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=width)
    for row in rows:
        table.add_row(row.what, f"[{_STYLES[row.standing]}]{row.standing}[/]", escape(row.got))
    console.print(table)
    for row in rows:
        if row.standing != "ok":
            _show_in_full(row, console)
    console.print(f"\n{conclusion(rows)}")


def conclusion(rows: Sequence[Row]) -> str:
    counts = {standing: sum(row.standing == standing and not row.is_behind for row in rows) for standing in _STYLES}
    if counts["differs"]:
        return f"{counts['differs']} of {len(rows)} differ: what serves is not what the records say"
    if counts["cannot tell"]:
        return f"nothing differs, but {counts['cannot tell']} of {len(rows)} could not be told"
    if num_behind := sum(row.is_behind for row in rows):
        return f"what serves is what was approved; {num_behind} aliases are behind, as after a roll-back"
    return f"all {len(rows)} agree: what serves is what was approved"


def as_json(line: str, rows: Sequence[Row]) -> str:
    result = {"line": line, "exit_code": exit_code(rows), "rows": [asdict(row) for row in rows]}
    return json.dumps(result, indent=1, ensure_ascii=False)


def _show_in_full(row: Row, console: Console) -> None:
    console.print(f"\n{row.what}: {row.standing}", style=_STYLES[row.standing])
    for word, text in (("expected", row.expected), ("got", row.got), ("where", row.where), ("do", row.remedy)):
        console.print(f"  {word:<9} {text}", markup=False, soft_wrap=True)
