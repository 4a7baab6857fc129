"""The screens, in the order of the receipt."""

from ratchet.validate.screens.repeated import REPEATED
from ratchet.validate.screens.screen import Screen

SCREENS: tuple[Screen, ...] = (*REPEATED,)
