"""Every recipe there is: one module of this package with a `recipe` function, one model line."""

import importlib
import pkgutil
from pathlib import Path

from pydantic import ValidationError

import ratchet.recipes as package
from ratchet.core.errors import TerminalError
from ratchet.recipes.files import PolicyFiles
from ratchet.recipes.recipe import Recipe


class UnknownRecipe(TerminalError, LookupError):
    """No model line has this name."""

    code = "RECIPE_INVALID"


class BadRecipe(TerminalError, ValueError):
    """A recipe function does not return a valid recipe."""

    code = "RECIPE_INVALID"


def names() -> list[str]:
    modules = (
        importlib.import_module(f"ratchet.recipes.{module.name}") for module in pkgutil.iter_modules(package.__path__)
    )
    return sorted(module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "recipe"))


def load_recipe(name: str, root: Path) -> Recipe:
    """Build the recipe `name` from the policy files below `root`. Raises UnknownRecipe, BadRecipe."""
    if name not in names():
        raise UnknownRecipe(f"no recipe {name!r}: there are {names()}; a new one is a module in tasks/ratchet/recipes/")
    try:
        recipe: Recipe = importlib.import_module(f"ratchet.recipes.{name}").recipe(PolicyFiles(root))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors())
        raise BadRecipe(f"recipe {name} (tasks/ratchet/recipes/{name}.py): {problems}") from error
    return recipe
