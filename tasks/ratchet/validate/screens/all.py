"""The screens, in the order of the receipt."""

from collections.abc import Mapping
from pathlib import Path

from ratchet.clients.moderation import Moderator
from ratchet.validate.contract import DataRules
from ratchet.validate.screens.burst import BURST
from ratchet.validate.screens.contamination import contamination_screen
from ratchet.validate.screens.injection import INJECTION
from ratchet.validate.screens.language import language_screen
from ratchet.validate.screens.near import NEAR_DUPLICATE
from ratchet.validate.screens.personal import personal_screen
from ratchet.validate.screens.poison import POISON
from ratchet.validate.screens.repeated import REPEATED
from ratchet.validate.screens.screen import Screen
from ratchet.validate.screens.secrets import SECRET
from ratchet.validate.screens.tokens import TrainingLength, tokens_screen
from ratchet.validate.screens.toxicity import toxicity_screen


def screens_of(
    rules: DataRules,
    evaluation_sets: Mapping[str, Path],
    length: TrainingLength | None = None,
    moderator: Moderator | None = None,
) -> tuple[Screen, ...]:
    """What must not be learned is hidden first: the others then see the rows as they would be trained on.

    `evaluation_sets`: name → JSON lines.
    """
    return (
        SECRET,
        personal_screen(rules.phone_regions),
        *INJECTION,
        contamination_screen(evaluation_sets),
        POISON,
        BURST,
        *REPEATED,
        NEAR_DUPLICATE,
        language_screen(rules.languages),
        tokens_screen(length),
        toxicity_screen(moderator),
    )
