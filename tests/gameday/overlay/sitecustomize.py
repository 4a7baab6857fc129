"""Python reads this first where the game day's platform is started: its recipe is found among those of the package."""

from pathlib import Path

import ratchet.recipes

ratchet.recipes.__path__.append(str(Path(__file__).parent.parent / "recipes"))
