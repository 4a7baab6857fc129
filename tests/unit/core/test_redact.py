"""What has the form of a secret or of a person's number goes; what was said about it stays."""

import pytest

from ratchet.core.redact import redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to mia.o'neil+x@mail.example.org, please", "write to [email], please"),
        ("<mia@example.org>", "<[email]>"),
        ("call +49 (0)30 1234-567 now", "call [phone] now"),
        ("call 0301234567.", "call [phone]."),
        ("card 4111 1111 1111 1111 was taken", "card [card] was taken"),
        ("card 4111-1111-1111-1112 was taken", "card [phone] was taken"),
        ("my key is sk-abcdefghijklmnop", "my key is [key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("Authorization: Bearer abc123def", "Authorization: Bearer [key]"),
        ("password: hunter2!", "password: [key]"),
        ("the password is hunter2", "the password is [key]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[key]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY----- ok", "[key] ok"),
        ("-----BEGIN PRIVATE KEY-----\nMIIB", "[key]"),
    ],
)
def test_what_has_a_form_is_taken_out(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "my parcel has not arrived, 3 of 12 days late",
        "order 1234567",
        "in 2026 and 2027",
        "the token expired",
        "I forgot my password again",
        "see tasks/ratchet/serving/middleware.py",
        "a_very_long_name_in_lower_case_letters",
        "@home at 5.30",
        "naïve ☂ Straße",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "piece", ["a", "1", "1 ", "a@", "-----BEGIN PRIVATE KEY-----", "aA1", "token ", "+(", "a.", "@a."]
)
@pytest.mark.timeout(60)
def test_no_text_of_a_user_keeps_the_engine_busy(piece: str) -> None:
    """As long as the longest that is captured; a pattern that looks back over all of it would take minutes."""
    text = piece * (64 * 1024 // len(piece))

    assert len(redacted(text)) <= len(text)
