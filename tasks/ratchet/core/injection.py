"""What texts say to a model and not to a reader: orders, hidden characters, a chat template's own tokens.

SQL conditions on a column for DuckDB, whose regular expressions are RE2's.
"""

# Phrases as published collections of injections have them (OWASP LLM01; Perez and Ribeiro 2022, Ignore previous
# prompt), in the commonest languages. RE2; any case.
_ORDERS = (
    r"\b(?:ignore|disregard|forget|override|bypass)\s+(?:\w+\s+){0,3}(?:previous|prior|above|preceding|earlier|existing|system)"
    r"\s+(?:\w+\s+){0,2}(?:instructions?|prompts?|rules|directions?|commands?)",
    r"\b(?:ignore|disregard|forget)\s+(?:all|any|everything|your)\s+(?:\w+\s+){0,3}(?:instructions|rules|guidelines|above)",
    r"\byou are now\s+(?:an?\s|in\s|the\s|no longer|dan\b|free|called)",
    r"\bfrom now on,? you (?:are|will|must|act|answer|respond)",
    r"\b(?:act|behave|respond|pretend)\s+as\s+(?:if|though)\s+you\s+(?:are|were|have|had)\s+no\b",
    r"\bpretend (?:to be|you are|that you are) (?:an?\s)?(?:unrestricted|uncensored|evil|dan\b|jailbroken)",
    r"\b(?:do anything now|developer mode|jailbreak(?:en|ed)?|god mode)\b",
    r"\b(?:reveal|show|print|repeat|output|tell me|leak|display)\s+(?:me\s+)?(?:your|the)\s+(?:\w+\s+){0,2}"
    r"(?:system|hidden|initial|secret)"
    r"\s+(?:prompt|instructions?|messages?)",
    r"\b(?:system|developer)\s+(?:prompt|message|override|note)\s*:",
    r"\[\s*(?:system|assistant|developer)(?:\s+\w+)?\s*\]",
    r"\bnew (?:system )?instructions?\s*:",
    r"#{2,}\s*(?:instruction|response|system|human|assistant)s?\s*:",
    # German, French, Spanish, Italian, Portuguese, Dutch, Russian, Chinese, Japanese
    r"\b(?:ignoriere?|vergiss|missachte)\s+(?:\w+\s+){0,3}(?:vorherigen|bisherigen|obigen|vorigen|früheren)"
    r"\s+(?:\w+\s+){0,2}(?:anweisung|befehl|regel|instruktion)",
    r"\b(?:ignore[zr]?|oublie[zr]?)\s+(?:\w+\s+){0,3}(?:instructions?|consignes?|directives?|règles)\s+(?:précédentes?|ci-dessus|antérieures?)",
    r"\b(?:ignora|ignore|olvida|olvide)\s+(?:\w+\s+){0,3}(?:instrucciones|órdenes|reglas)\s+(?:anteriores|previas)",
    r"\b(?:ignora|dimentica)\s+(?:\w+\s+){0,3}(?:istruzioni|regole)\s+(?:precedenti|sopra)",
    r"\b(?:ignore|esqueça)\s+(?:\w+\s+){0,3}(?:instruções|regras)\s+(?:anteriores|acima)",
    r"\b(?:negeer|vergeet)\s+(?:\w+\s+){0,3}(?:vorige|eerdere|bovenstaande)\s+(?:instructies|opdrachten|regels)",
    r"(?:игнорируй(?:те)?|забудь(?:те)?)\s+(?:\pL+\s+){0,3}(?:предыдущие|прежние)\s+(?:\pL+\s+){0,2}(?:инструкци|указани|правил)",
    r"(?:忽略|无视|忘记)(?:\pL){0,6}(?:之前|以上|先前|上面)(?:\pL){0,6}(?:指令|指示|提示|规则)",
    r"(?:以前|前|上記|これまで)の(?:\pL){0,4}(?:指示|命令|ルール)を(?:\pL){0,4}(?:無視|忘れ)",
)
_ORDER = "(?i)" + "|".join(f"(?:{order})" for order in _ORDERS)
# A part of a word of each of them: to look for these first is many times faster.
_SIGN = (
    "(?i)ignor|disregard|forget|overrid|bypass|you are now|from now on|pretend|(?:act|behave|respond) as|anything now"
    "|developer|god mode|jailbr|prompt|system|instruction|assistant|#(?:response|human)|# ?(?:response|human)"
    "|vergi|missacht|oublie|olvid|dimentic|esque|negeer|vergeet|игнорир|забудь|忽略|无视|忘|無視"
)
# Joiners and marks without width belong between letters of many scripts, but never inside a word of Latin letters, nor
# several in a row.
_INVISIBLE = r"\x{AD}\x{34F}\x{180E}\x{200B}-\x{200F}\x{2060}-\x{2064}\x{206A}-\x{206F}\x{FEFF}"
_HIDDEN = "|".join(
    (
        rf"[A-Za-z0-9][{_INVISIBLE.replace(chr(92) + 'x{AD}', '')}]+[A-Za-z0-9]",
        rf"[{_INVISIBLE}]{{4,}}",
        r"[\x{202D}\x{202E}]",
        r"[\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]{3,}",
        # Tags spell out the flags of three countries, behind a black flag; else they are text that nobody sees.
        r"(?:^|[^\x{1F3F4}\x{E0020}-\x{E007F}])[\x{E0000}-\x{E007F}]",
    )
)
# Marks of direction show a text in another order than it is read; around right-to-left writing they belong.
_DIRECTION = r"[\x{202A}\x{202B}\x{2066}-\x{2068}]"
_RIGHT_TO_LEFT = r"[\p{Arabic}\p{Hebrew}\p{Syriac}\p{Thaana}\p{Nko}\p{Adlam}]"
# <|im_start|> and its kin, also in spaced and full-width forms; Llama's and Mistral's brackets, Gemma's turns, the
# thoughts and tool calls of Qwen and DeepSeek, and the sentence marks of older models: in a user's text a tokenizer
# would read them as structure.
TEMPLATE_MARK = (
    r"[<＜]\s?[|｜]\s?[^<>＜＞|｜\s]{1,40}\s?[|｜]\s?[>＞]|[\[［]\s?/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)"
    r"\s?[\]］]|<</?SYS>>|</?s>|<(?:bos|eos|pad|unk)>|<(?:start|end)_of_(?:turn|text|image|utterance)>"
    r"|</?(?:think|tool_call|tool_response|tools)>"
)


def gives_orders(column: str) -> str:
    """Such as to ignore its instructions."""
    return f"CASE WHEN {_has(column, _SIGN)} THEN {_has(column, _ORDER)} ELSE false END"


def hides_text(column: str) -> str:
    """By invisible characters, or by marks that show it in another order."""
    reordered = f"{_has(column, _DIRECTION)} AND NOT {_has(column, _RIGHT_TO_LEFT)}"
    return f"({_has(column, _HIDDEN)} OR {reordered})"


def has_template_token(column: str) -> str:
    """Such as <|im_start|>, which a tokenizer would read as structure."""
    return _has(column, TEMPLATE_MARK)


def _has(column: str, pattern: str) -> str:
    return f"regexp_matches({column}, {_quoted(pattern)})"


def _quoted(text: str) -> str:
    """A SQL string literal."""
    return "'{}'".format(text.replace("'", "''"))
