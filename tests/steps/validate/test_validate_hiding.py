"""Personal data and secrets: what is found, what looks like it and is not, and that nothing tells the value."""

import hashlib
import json

import pytest
from tests.steps.validate.conftest import CLEAN, RULES, Validate, as_csv, as_jsonl, lines, rows_of

from ratchet.clients.world import World
from ratchet.validate.screens.personal import hide_personal
from ratchet.validate.screens.secrets import hide_secrets

# No service ever gave any of these out; in pieces, so that nobody's scanner takes them for real.
LETTERS = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2"
AWS_KEY = "AKIA" + "QWERTYUIOPASDFGH"
GITHUB_TOKEN = "ghp" + "_" + LETTERS


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("write to Jo.Doe+x@mail.example.co.uk.", "write to <email>."),
        ("<müller@bücher.example>", "<<email>>"),
        ("call +1 415 555 2671 now", "call <phone> now"),
        ("call (415) 555-2671 or 020 7946 0958", "call <phone> or <phone>"),
        ("+49 151 23456789", "<phone>"),
        ("my card 4111 1111 1111 1111 is lost", "my card <card> is lost"),
        ("3782-822463-10005", "<card>"),
        ("to DE89 3704 0044 0532 0130 00 please", "to <iban> please"),
        ("to gb82west12345698765432, thanks", "to <iban>, thanks"),
        ("a@b.example has 5555555555554444", "<email> has <card>"),
    ],
)
def test_personal_data_gives_way_to_its_kind(text: str, hidden: str) -> None:
    assert hide_personal(text, ("US", "GB")).text == hidden


@pytest.mark.parametrize(
    "text",
    [
        "ping @handle, and a@b is no address",
        "the file icon@2x.png at a price @ 5.00",
        "my card 4111 1111 1111 1112 is lost",  # the check digit is wrong
        "order 9999000011112220",  # of no network
        "to DE89 3704 0044 0532 0130 01 please",  # the check digits are wrong
        "order 4155552671",
        "on 2025-11-22 at 04:00, 12/11/2025 10:30:00",
        "paid 1,234,567.89 and 3.14159265358979",
        "ISBN 978-3-16-148410-0 from 192.168.100.200",
        "tracking 1Z 999 AA1 01 2345 6784",
    ],
)
def test_what_only_looks_like_personal_data_stays(text: str) -> None:
    assert hide_personal(text, ("US", "GB")).text == text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"key {AWS_KEY}!", "key <secret>!"),
        (f"use {GITHUB_TOKEN}", "use <secret>"),
        (f"github_pat_{LETTERS}_{LETTERS}", "<secret>"),
        (f"glpat-{LETTERS}", "<secret>"),
        ("xoxb" + f"-123456789012-{LETTERS}", "<secret>"),
        ("sk" + f"_live_{LETTERS}", "<secret>"),
        ("AIza" + LETTERS[:35], "<secret>"),
        (f"sk-proj-{LETTERS}", "<secret>"),
        ("hf" + "_" + "abcdefghij" * 3, "<secret>"),
        (f"npm_{LETTERS}", "<secret>"),
        ("pypi" + f"-AgEI{LETTERS}{LETTERS}", "<secret>"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "<secret>"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- help", "<secret> help"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", "<secret>"),
        ("postgres://joe:s3cr3t!@db/x", "postgres://joe:<secret>@db/x"),
        ("my API key is " + LETTERS, "my API key is <secret>"),
        ('{"password": "Tr0ub4dor&3xyz"}', '{"password": "<secret>"}'),
    ],
)
def test_secrets_give_way(text: str, hidden: str) -> None:
    assert hide_secrets(text).text == hidden


@pytest.mark.parametrize(
    "text",
    [
        "AKIA is how their keys begin",
        "sk-learn-is-a-python-package-name",
        "my password is wrong and the token: expired",
        "reset token=please_reset_my_password",
        "secret: aaaaaaaaaaaaaaaaaaaaaaaa1",
        f"task-{LETTERS}",
        "https://host.example/a:b@c",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
    ],
)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert hide_secrets(text).text == text


def test_personal_data_is_redacted_in_text_and_label_and_nothing_is_lost(validate: Validate, world: World) -> None:
    rows = [*CLEAN, ("my mail is jo@example.org", "refund"), ("whom shall I write to", "jo@example.org"), ("wee", "x")]

    outputs = validate(as_csv(rows))

    kept = lines(world, outputs.accepted)
    assert [(row["text"], row["label"]) for row in kept[30:]] == [
        ("my mail is <email>", "refund"),
        ("whom shall I write to", "<email>"),
    ]
    assert kept[30]["id"] == hashlib.sha256(b"my mail is <email>\0refund").hexdigest()
    assert outputs.num_read == outputs.num_accepted + outputs.num_quarantined == 33
    assert (outputs.num_redacted, outputs.num_warned) == (2, 0)
    assert {(r.reason, r.action, r.num_rows, rows_of(r)) for r in outputs.reasons if r.num_rows} == {
        ("personal", "redact", 2, (31, 32)),
        ("text_length", "quarantine", 1, (33,)),
    }


def test_a_secret_is_quarantined_as_it_stood_and_told_nowhere_else(
    validate: Validate, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [*CLEAN, (f"why does {AWS_KEY} fail", "refund"), ("whose key is this", AWS_KEY), (CLEAN[0][0], AWS_KEY)]

    outputs = validate(as_csv(rows), "tickets.csv")

    quarantined = lines(world, outputs.quarantine)
    assert [(line["row"], line["reasons"], line["details"]) for line in quarantined] == [
        (31, ["secret"], ["AWS key"]),
        (32, ["secret"], ["AWS key"]),
        (33, ["secret"], ["AWS key"]),
    ]
    assert [line["fields"]["label"] for line in quarantined] == ["refund", AWS_KEY, AWS_KEY]
    assert (outputs.num_read, outputs.num_accepted, outputs.num_quarantined) == (33, 30, 3)
    told = [outputs.canonical_json(), world.store.read_bytes(outputs.receipt), caplog.text.encode()]
    assert not any(AWS_KEY.encode() in text for text in [*told, world.store.read_bytes(outputs.accepted)])


def test_a_recipe_can_redact_secrets_and_keep_personal_data(validate: Validate, world: World) -> None:
    rules = RULES.model_copy(update={"actions": {"secret": "redact", "personal": "warn"}})
    text = f"jo@example.org lost {GITHUB_TOKEN}"

    outputs = validate(as_csv([*CLEAN, (text, "refund")]), rules=rules)

    assert lines(world, outputs.accepted)[-1]["text"] == "jo@example.org lost <secret>"
    assert (outputs.num_redacted, outputs.num_warned) == (1, 1)


def test_a_row_that_is_redacted_already_is_known_and_accepted_to_the_byte(validate: Validate, world: World) -> None:
    rows = [{"text": f"ticket {n} of jo{n}@example.org, +1 415 555 2671", "label": "x"} for n in range(3)]
    first = validate(as_jsonl(rows), "up.jsonl")

    again = validate(world.store.read_bytes(first.accepted), "rows.jsonl")
    resent = validate(as_jsonl(rows), "up.jsonl", previous=first.accepted)

    assert again.accepted == first.accepted
    assert again.num_redacted == 0
    assert {r.reason: r.num_rows for r in resent.reasons if r.num_rows} == {"personal": 3, "known": 3}


def test_the_rows_of_a_large_file_are_hidden_in_their_own_places(validate: Validate, world: World) -> None:
    rows = [
        (f"ticket {n} of jo{n}@example.org" if n % 3 == 0 else f"ticket {n} of Jo", f"l{n % 2}") for n in range(40_000)
    ]

    outputs = validate(as_csv(rows))

    kept = lines(world, outputs.accepted)
    assert outputs.num_redacted == 13_334
    assert all(row["text"] == f"ticket {n} of " + ("<email>" if n % 3 == 0 else "Jo") for n, row in enumerate(kept))
    assert json.loads(world.store.read_bytes(outputs.receipt))["num_redacted"] == 13_334
