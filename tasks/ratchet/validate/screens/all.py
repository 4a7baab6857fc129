"""The screens, in the order of the receipt."""

from ratchet.validate.contract import DataRules
from ratchet.validate.screens.personal import personal_screen
from ratchet.validate.screens.repeated import REPEATED
from ratchet.validate.screens.screen import Screen
from ratchet.validate.screens.secrets import SECRET


def screens_of(rules: DataRules) -> tuple[Screen, ...]:
    """What must not be learned is hidden first: the others then see the rows as they would be trained on."""
    return (SECRET, personal_screen(rules.phone_regions), *REPEATED)
