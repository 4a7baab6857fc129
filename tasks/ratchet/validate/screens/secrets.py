"""Keys, tokens and passwords that a model would learn by heart."""

import math
import re
from collections import Counter

from ratchet.validate.policy import HIDES
from ratchet.validate.screens.hiding import Hidden, hiding_screen

# Forms as their issuers publish them, in the syntax that Python and DuckDB's RE2 share. A group is what is hidden.
_FORMS = {
    # AWS, IAM identifiers: AKIA long-term, ASIA temporary
    "AWS key": r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    # GitHub, "Behind GitHub's new authentication token formats" (2021); fine-grained tokens since 2022
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{36,255}\b",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    # Slack, token types; incoming webhooks
    "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bhooks\.slack\.com/services/[A-Za-z0-9/]{30,}",
    "Stripe key": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",
    "Google key": r"\bAIza[A-Za-z0-9_-]{35}",
    "Hugging Face token": r"\bhf_[A-Za-z]{30,}",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI token": r"\bpypi-AgEI[A-Za-z0-9_-]{50,}",
    # OpenAI, Anthropic and those who do as they do
    "sk- key": r"\bsk-(?:[a-z]+[0-9]*-)*[A-Za-z0-9_-]{20,}",
    # RFC 7519: two JSON objects and a signature in base64url; {" is eyJ
    "JWT": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    # RFC 7468, and OpenPGP's blocks; all up to the end where the end mark is missing
    "private key": (r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*-----|\z)"),
    "password in a URL": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,64}:([^\s/@]{3,128})@",
}
# Something that is called a secret, and a value with the disorder of one.
_ASSIGNMENT = (
    r"(?i)(?:passw(?:or)?d|passphrase|secret|token|api[ _-]?key|access[ _-]?key|private[ _-]?key|credentials?)"
    r"[\"'`]?(?: is)?\s*(?::|=|=>|:=|\bis\b)\s*[\"'`]?([^\s\"'`,;<>]{12,})"
)
_LEAST_BITS = 3.0  # a character; what is typed to fill a field has less
_CANDIDATE = "|".join(f"(?:{form})" for form in (*_FORMS.values(), _ASSIGNMENT))
# Python writes RE2's end of text otherwise.
_PATTERNS = {kind: re.compile(form.replace(r"\z", r"\Z")) for kind, form in _FORMS.items()}
_ASSIGNED = re.compile(_ASSIGNMENT)


def hide_secrets(text: str) -> Hidden:
    kinds: set[str] = set()

    def put(kind: str, match: re.Match[str]) -> str:
        found = match[match.lastindex or 0]
        if kind in ("sk- key", "assigned secret") and not _looks_random(found):
            return match[0]
        kinds.add(kind)
        return match[0].replace(found, "<secret>")

    for kind, pattern in _PATTERNS.items():
        text = pattern.sub(lambda match, kind=kind: put(kind, match), text)  # type: ignore[misc]
    text = _ASSIGNED.sub(lambda match: put("assigned secret", match), text)
    return Hidden(text, frozenset(kinds))


def _looks_random(value: str) -> bool:
    """Letters and digits, and a Shannon entropy of at least 3 bits a character."""
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
    return entropy >= _LEAST_BITS and bool(re.search(r"\d", value)) and bool(re.search(r"[^\W\d_]", value))


SECRET = hiding_screen("secret", "no keys, tokens, private keys or passwords", HIDES, _CANDIDATE, hide_secrets)
