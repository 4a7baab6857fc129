"""Personal data: e-mail addresses, phone numbers, card numbers and IBANs, by their form and their check digits."""

import re
from collections.abc import Callable, Sequence
from functools import partial

import phonenumbers
from stdnum import iban, luhn

from ratchet.validate.policy import REDACTS
from ratchet.validate.screens.hiding import Hidden, hiding_screen
from ratchet.validate.screens.screen import Screen

# The form that people write, narrower than RFC 5322; file names such as icon@2x.png are none.
_EMAIL = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{0,63}\w@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,9}(?!(?:png|jpe?g|gif|svg|webp)\b)[^\W\d_]{2,24}\b"
)
# ISO 13616: two letters, two check digits, up to 30 letters and digits, often in groups of four.
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}")
# ISO/IEC 7812: 12 to 19 digits that end with the Luhn digit; the first ones name the network.
_CARD = re.compile(r"(?<![\w.,+-])[2-6](?:[ \u00a0-]?\d){11,18}(?![\w-]|[.,]\d)")
# Networks by their first digits and lengths, as they publish them: Visa, Mastercard (two ranges), American Express,
# Discover, JCB, Diners Club, UnionPay, Maestro.
_NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12,15}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}|3(?:0[0-5]|[689]\d)\d{11,16}|62\d{14,17}|(?:50|5[6-8]|6[37])\d{10,17}"
)
# What any of them has: an @, seven digits with little between them, or the head of an IBAN.
_CANDIDATE = r"@|\d(?:[^\pL\d]{0,3}\d){6,}|(?i)\b[a-z]{2}\d\d[ -]?[a-z0-9]{3}"

Found = Callable[[re.Match[str]], str]


def personal_screen(phone_regions: Sequence[str]) -> Screen:
    """`phone_regions`: countries (ISO 3166) whose numbers are also found without a country code."""
    return hiding_screen(
        "personal",
        "no e-mail addresses, phone numbers, card numbers or IBANs",
        REDACTS,
        _CANDIDATE,
        partial(hide_personal, phone_regions=phone_regions),
    )


def hide_personal(text: str, phone_regions: Sequence[str] = ()) -> Hidden:
    """Cards and IBANs before phones: each holds digits that could be a phone number."""
    kinds: set[str] = set()

    def put(kind: str) -> str:
        kinds.add(kind)
        return f"<{kind}>"

    text = _EMAIL.sub(lambda _: put("email"), text)
    text = _IBAN.sub(lambda match: _iban(match[0], put), text)
    text = _CARD.sub(lambda match: put("card") if _is_card(match[0]) else match[0], text)
    for region in (None, *phone_regions):
        text = _without_phones(text, region, put)
    return Hidden(text, frozenset(kinds))


def _iban(found: str, put: Callable[[str], str]) -> str:
    """The pattern may take in the words behind an IBAN: how long it is follows from its country and check digits."""
    for end in range(len(found), 14, -1):
        if found[end - 1].isalnum() and not found[end : end + 1].isalnum() and iban.is_valid(found[:end]):
            return put("iban") + found[end:]
    return found


def _is_card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    return _NETWORKS.fullmatch(digits) is not None and luhn.is_valid(digits)


def _without_phones(text: str, region: str | None, put: Callable[[str], str]) -> str:
    """With a country code any valid number; without one only as that country writes it, in groups."""
    leniency = phonenumbers.Leniency.VALID if region is None else phonenumbers.Leniency.STRICT_GROUPING
    for match in reversed(list(phonenumbers.PhoneNumberMatcher(text, region, leniency))):
        if region is None or not match.raw_string.isdigit():
            text = text[: match.start] + put("phone") + text[match.end :]
    return text
