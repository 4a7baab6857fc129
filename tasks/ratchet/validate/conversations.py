"""Chat rows: `messages`, a list of {"role", "content"}, of which one question and its answer can be trained on.

TRL writes the same as `prompt` and `completion`, each such a list.

A conversation of another form is told in words and never shortened to fit.
"""

from ratchet.validate.sql import has_a_key_twice

_QUESTION_AND_ANSWER = ("user", "assistant")


def content(chat: str, number: int) -> str:
    """SQL for the text of one message of `chat` (a JSON value), NULL where it is not one text.

    `content` is a string, or a list of one part: [{"type": "text", "text": "…"}].
    """
    whole, part = f"/{number}/content", f"/{number}/content/0"
    one_part = (
        f"json_array_length({chat}, '{whole}') = 1 AND json_extract_string({chat}, '{part}/type') = 'text' "
        f"AND json_type({chat}, '{part}/text') = 'VARCHAR'"
    )
    return (
        f"CASE json_type({chat}, '{whole}') WHEN 'VARCHAR' THEN json_extract_string({chat}, '{whole}') "
        f"WHEN 'ARRAY' THEN CASE WHEN {one_part} THEN json_extract_string({chat}, '{part}/text') END END"
    )


def problem(chat: str) -> str:
    """SQL for what keeps `chat` from being one question and its answer, in words; NULL when it is, or is missing."""
    roles = f"json_extract_string({chat}, '$[*].role')"
    messages = range(len(_QUESTION_AND_ANSWER))
    objects = [f"'/{number}{part}'" for number in messages for part in ("", "/content/0")]
    no_text = [
        f"json_type({chat}, '/{number}/content') <> 'NULL' AND ({content(chat, number)}) IS NULL" for number in messages
    ]
    cases = (
        (f"{chat} IS NULL OR json_type({chat}) = 'NULL'", "NULL"),
        (
            f"json_type({chat}) <> 'ARRAY' OR len({roles}) <> json_array_length({chat})",
            "'messages is not a list of objects with a role'",
        ),
        (f"len({roles}) = 0", "'messages is empty'"),
        (f"list_has_any({roles}, ['tool', 'function']) OR {_calls(chat)}", "'it calls tools'"),
        (f"list_has_any({roles}, ['system', 'developer'])", "'it has a system message'"),
        (f"{roles}[-1] IS DISTINCT FROM 'assistant'", "'it does not end with an answer of the assistant'"),
        (
            f"{roles} <> {list(_QUESTION_AND_ANSWER)}",
            f"'it has ' || len({roles}) || ' messages, not one question and its answer'",
        ),
        (" OR ".join(has_a_key_twice(chat, at) for at in objects), "'a message has a key twice'"),
        (" OR ".join(no_text), "'a content is not one text'"),
    )
    return "CASE {} END".format(" ".join(f"WHEN {condition} THEN {words}" for condition, words in cases))


def joined(prompt: str, completion: str) -> str:
    """SQL for two lists of messages (JSON values) as one; NULL where one of them is no list."""
    messages = " , ".join(f"json_extract({turn}, '$[*]')" for turn in (prompt, completion))
    return f"CASE WHEN {_is_list(prompt)} AND {_is_list(completion)} THEN to_json(list_concat({messages})) END"


def problem_of_turns(prompt: str, completion: str, chat: str) -> str:
    """As `problem`, where `chat` is both joined. Two that are no lists have none: they are text."""
    return (
        f"CASE WHEN {_is_list(prompt)} <> {_is_list(completion)} "
        "THEN 'prompt and completion are not both lists of messages' "
        f"WHEN {chat} IS NOT NULL THEN coalesce({problem(chat)}, CASE WHEN json_array_length({prompt}) <> 1 "
        "THEN 'prompt is not the question alone' END) END"
    )


def _is_list(turn: str) -> str:
    return f"(json_type({turn}) IS NOT DISTINCT FROM 'ARRAY')"


def _calls(chat: str) -> str:
    """SQL: true when a message has tool calls; null and [] are none."""
    return " OR ".join(
        f"len(list_filter(json_extract({chat}, '$[*].{key}'), "
        "lambda call: json_type(call) <> 'NULL' AND CAST(call AS VARCHAR) <> '[]')) > 0"
        for key in ("tool_calls", "function_call")
    )
