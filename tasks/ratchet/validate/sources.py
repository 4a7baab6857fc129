"""An upload as SQL: a relation, and where in it the fields are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ratchet.validate import conversations
from ratchet.validate.columns import Columns
from ratchet.validate.sql import has_a_key_twice, name, pointer, quoted
from ratchet.validate.upload import MAX_LINE_BYTES

_TURNS = ("asked", "answered")
_JOINED = conversations.joined(*_TURNS)


@dataclass(frozen=True)
class Source:
    """SQL expressions over `relation`.

    `malformed` and `conversation` are words for what is wrong with a row's shape, or NULL; the others may speak of
    them. `fields` is the row as JSON, as it stood in the file.
    """

    relation: str
    text: str
    label: str
    quality: str
    malformed: str
    fields: str
    conversation: str = "NULL"
    source: str = "NULL"

    @property
    def given(self) -> frozenset[str]:
        """Of the columns that not every upload has, those that this one has."""
        shape = "NULL" if self.malformed == self.conversation == "NULL" else "known by row"
        values = {"quality_score": self.quality, "source": self.source, "problem": shape}
        return frozenset(column for column, sql in values.items() if sql != "NULL")


def csv_source(path: Path, delimiter: str, names: Sequence[str], columns: Columns, tidied: bool) -> Source:
    """`tidied`: csv_text.tidy_csv wrote the file, with one more column for rows of another width."""
    fields = [f"c{index}" for index in range(len(names))]
    types = ", ".join(f"{field}: 'VARCHAR'" for field in [*fields, *(["odd"] if tidied else [])])
    whole = "json_object({})".format(", ".join(f"{quoted(n)}, {f}" for n, f in zip(names, fields, strict=True)))
    # strict, nothing guessed: a row that DuckDB would have to mend goes to the slow reader, which says what it did
    options = (
        f"header = true, auto_detect = false, strict_mode = true, delim = {quoted(delimiter)}, "
        # By default it takes sixteen times the longest line into memory.
        f"quote = '\"', escape = '\"', max_line_size = {MAX_LINE_BYTES}, buffer_size = {MAX_LINE_BYTES}"
    )
    width = f"json_array_length(odd) || ' fields, where the header has {len(names)}'"
    return Source(
        relation=f"read_csv({quoted(str(path))}, columns = {{{types}}}, {options})",
        text=fields[names.index(columns.text)],
        label=fields[names.index(columns.label)],
        quality=fields[names.index(columns.quality)] if columns.quality else "NULL",
        malformed=f"CASE WHEN odd IS NOT NULL THEN {width} END" if tidied else "NULL",
        fields=f"CASE WHEN odd IS NULL THEN {whole} ELSE json(odd) END" if tidied else whole,
        source=fields[names.index(columns.source)] if columns.source else "NULL",
    )


def jsonl_source(path: Path, columns: Columns) -> Source:
    """A text that is no string, and a label that is an object or a list, count as missing."""
    objects = f"read_ndjson_objects({quoted(str(path))}, maximum_object_size = {MAX_LINE_BYTES})"
    quality = f"json_extract_string(json, {pointer(columns.quality)})" if columns.quality else "NULL"
    source = f"json_extract_string(json, {pointer(columns.source)})" if columns.source else "NULL"
    # Of a key that is there twice DuckDB takes the first, Python and JavaScript the last.
    malformed = (
        f"CASE WHEN json_type(json) <> 'OBJECT' THEN 'not an object' "
        f"WHEN {has_a_key_twice('json')} THEN 'a key is there twice' END"
    )
    if columns.chat:
        relation = f"(SELECT json, json_extract(json, {pointer(columns.text)}) AS chat FROM {objects})"  # noqa: S608
        return _chat_source(relation, quality, malformed, fields="json", source=source)
    if columns.may_be_turns:
        turns = ", ".join(f"json_extract(json, {pointer(key)}) AS {turn}" for key, turn in _turns_of(columns))
        relation = f"(SELECT *, {_JOINED} AS chat FROM (SELECT json, {turns} FROM {objects}))"  # noqa: S608
        text, label = _string(columns.text), _scalar(columns.label)
        return _turns_source(relation, quality, malformed, fields="json", source=source, otherwise=(text, label))
    return Source(
        relation=objects,
        text=_string(columns.text),
        label=_scalar(columns.label),
        quality=quality,
        malformed=malformed,
        fields="json",
        source=source,
    )


def parquet_source(relation: str, types: Mapping[str, str], columns: Columns) -> Source:
    """`types` by column name, as DuckDB calls them."""
    fields = {column: f"c{index}" for index, column in enumerate(types)}
    renamed = ", ".join(f"{name(column)} AS {field}" for column, field in fields.items())
    values = ", ".join(f"{quoted(column)}, {_in_json(field, types[column])}" for column, field in fields.items())
    whole = f"json_object({values})"
    quality = fields[columns.quality] if columns.quality else "NULL"
    source = fields[columns.source] if columns.source else "NULL"
    if columns.chat:
        chat = f"(SELECT {renamed}, to_json({name(columns.text)}) AS chat FROM {relation})"  # noqa: S608
        return _chat_source(chat, quality, malformed="NULL", fields=whole, source=source)
    if columns.may_be_turns and types[columns.text].endswith("]"):
        turns = ", ".join(f"to_json({name(column)}) AS {turn}" for column, turn in _turns_of(columns))
        whole_turns = f"(SELECT *, {_JOINED} AS chat FROM (SELECT {renamed}, {turns} FROM {relation}))"  # noqa: S608
        return _turns_source(whole_turns, quality, "NULL", fields=whole, source=source, otherwise=("NULL", "NULL"))
    return Source(
        relation=f"(SELECT {renamed} FROM {relation})",  # noqa: S608
        text=fields[columns.text],
        label=fields[columns.label],
        quality=quality,
        malformed="NULL",
        fields=whole,
        source=source,
    )


def _in_json(field: str, kind: str) -> str:
    """JSON has no word for NaN and infinity: they become strings."""
    if kind not in {"FLOAT", "DOUBLE"}:
        return field
    return f"CASE WHEN isfinite({field}) THEN to_json({field}) ELSE to_json(CAST({field} AS VARCHAR)) END"


def _chat_source(relation: str, quality: str, malformed: str, fields: str, source: str) -> Source:
    return Source(
        relation=relation,
        text=f"CASE WHEN conversation IS NULL THEN {conversations.content('chat', 0)} END",
        label=f"CASE WHEN conversation IS NULL THEN {conversations.content('chat', 1)} END",
        quality=quality,
        malformed=malformed,
        fields=fields,
        source=source,
        conversation=f"CASE WHEN ({malformed}) IS NULL THEN {conversations.problem('chat')} END",
    )


def _turns_source(
    relation: str, quality: str, malformed: str, fields: str, source: str, otherwise: tuple[str, str]
) -> Source:
    """Of rows whose prompt and completion are lists of messages; `otherwise` is text and label of the other rows."""
    contents = (conversations.content("chat", number) for number in range(2))
    text, label = (
        f"CASE WHEN chat IS NULL THEN {plain} WHEN conversation IS NULL THEN {content} END"
        for plain, content in zip(otherwise, contents, strict=True)
    )
    return Source(
        relation=relation,
        text=text,
        label=label,
        quality=quality,
        malformed=malformed,
        fields=fields,
        source=source,
        conversation=f"CASE WHEN ({malformed}) IS NULL THEN {conversations.problem_of_turns(*_TURNS, 'chat')} END",
    )


def _turns_of(columns: Columns) -> Iterable[tuple[str, str]]:
    return zip((columns.text, columns.label), _TURNS, strict=True)


def _string(key: str) -> str:
    return _of_type(key, ["VARCHAR"])


def _scalar(key: str) -> str:
    return _of_type(key, ["VARCHAR", "BIGINT", "UBIGINT", "DOUBLE", "BOOLEAN"])


def _of_type(key: str, types: Sequence[str]) -> str:
    allowed = ", ".join(map(quoted, types))
    return (
        f"CASE WHEN json_type(json, {pointer(key)}) IN ({allowed}) THEN json_extract_string(json, {pointer(key)}) END"
    )
