"""Texts in other languages than the recipe's."""

import pytest
from tests.steps.validate.conftest import CLEAN, RULES, Validate, as_csv, rows_of

FOREIGN = [
    "Wo ist meine Karte? Ich warte schon seit zwei Wochen.",
    "¿Dónde está mi tarjeta? La estoy esperando desde hace días",
    "Où est ma carte bancaire, je l'attends depuis longtemps",
    "Моя карта не работает уже неделю",
    "カードはどこにありますか、教えてください",
]


@pytest.mark.parametrize(("languages", "rows"), [(("en",), (31, 32, 33)), (("en", "de", "es"), (33, 34, 35)), ((), ())])
def test_only_texts_in_other_languages_are_told(
    validate: Validate, languages: tuple[str, ...], rows: tuple[int, ...]
) -> None:
    outputs = validate(
        as_csv([*CLEAN, *((text, "refund") for text in FOREIGN)]),
        rules=RULES.model_copy(update={"languages": languages}),
    )

    told = next(reason for reason in outputs.reasons if reason.reason == "language")
    assert rows_of(told) == rows
    assert (outputs.num_accepted, outputs.num_warned) == (35, told.num_rows)


@pytest.mark.parametrize(
    "text", ["Hola amigos", "12345 67890 !!", "my card pls, muchas gracias", "Zoë Müller, Straße 7"]
)
def test_a_short_or_mixed_text_is_undecided(validate: Validate, text: str) -> None:
    outputs = validate(as_csv([*CLEAN, (text, "refund")]), rules=RULES.model_copy(update={"languages": ("en",)}))

    assert {reason.reason for reason in outputs.reasons if reason.num_rows} == set()
