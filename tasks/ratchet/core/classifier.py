"""Who says which texts are harmful: named by a recipe, asked of uploads and of what production answers."""

from pydantic import Field

from ratchet.core.contract import Contract


class Classifier(Contract):
    """Somebody's classifier behind OpenAI's moderation API; `url` ends in /v1.

    Name a model that stays the same: what it said of a file is not asked again.
    """

    url: str = Field(pattern=r"^https?://[^\s@]+/v1/?$")
    model: str = Field(min_length=1)
