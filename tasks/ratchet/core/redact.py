"""Takes out of a text what names a person or opens a door, as far as its form shows it.

Names, addresses and whatever is spelled out ("mia at example dot org") have no form and stay. Numbers that only look
like a telephone's go too: rather too much than too little. Users write the texts, so no pattern may take long on any.
"""

import re

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,8192}(?:-----END [A-Z ]{0,40}-----)?"
)
_SAID_SECRET = re.compile(
    r"(?i)\b(pass(?:word|wd|phrase)|pwd|secret|token|api[ _-]?key|bearer)\b(\s*(?:is|[:=])?\s*)(\S{6,})"
)
_TOKEN = re.compile(r"[A-Za-z0-9_+/=.-]{20,}")
_KNOWN_KEY = re.compile(r"\b(?:sk|rk|pk|gh[opsu]|glpat|hf|xox[abprs]|AKIA|ASIA|AIza)[-_A-Za-z0-9]{12,}")
_EMAIL = re.compile(r"[^\s@<>\"(),;:]{1,64}@[^\s@<>\"(),;:]{1,253}\.[^\s@<>\"(),;:.!?]{2,24}")
_NUMBER = re.compile(r"(?<!\w)\+?\(?\d(?:[\s().\-/]{0,2}\d){7,}(?!\w)")
CARD_DIGITS = range(13, 20)  # ISO/IEC 7812


def redacted(text: str) -> str:
    """`text` with [key], [email], [card] and [phone] for what has their form."""
    text = _PRIVATE_KEY.sub("[key]", text)
    text = _EMAIL.sub("[email]", text)
    text = _SAID_SECRET.sub(_without_secret, text)
    text = _KNOWN_KEY.sub("[key]", text)
    text = _TOKEN.sub(lambda found: "[key]" if _is_random(found[0]) else found[0], text)
    return _NUMBER.sub(lambda found: "[card]" if _is_card(found[0]) else "[phone]", text)


def _without_secret(found: re.Match[str]) -> str:
    """After a word for a secret: "password: hunter2!"; "the token expired" says none."""
    is_said = found[2].strip() or _has_digit(found[3])
    return f"{found[1]}{found[2]}[key]" if is_said else found[0]


def _is_random(token: str) -> bool:
    """Letters of both cases and digits, mixed: no word, no number, no path."""
    return token.lower() != token != token.upper() and _has_digit(token)


def _is_card(number: str) -> bool:
    digits = [int(sign) for sign in number if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]  # Luhn's check, from the right
    return len(digits) in CARD_DIGITS and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _has_digit(text: str) -> bool:
    return any(sign.isdigit() for sign in text)
