"""What happens to a row that breaks a rule: the rule's own default, or what the recipe says instead."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from ratchet.core.errors import TerminalError
from ratchet.validate.contract import Action

# Of a rule's actions the first is its default.
ANY_ACTION: tuple[Action, ...] = ("quarantine", "warn", "off")
WARNS: tuple[Action, ...] = ("warn", "quarantine", "off")
REDACTS: tuple[Action, ...] = ("redact", "quarantine", "warn", "off")
HIDES: tuple[Action, ...] = ("quarantine", "redact", "warn", "off")
# There is nothing that could be trained on.
ONLY_QUARANTINE: tuple[Action, ...] = ("quarantine",)


class Rule(Protocol):
    """A rule on rows: a word for it, what it says, and what may happen to rows that break it."""

    @property
    def reason(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def actions(self) -> tuple[Action, ...]: ...


class BadPolicy(TerminalError, ValueError):
    """The recipe asks for an action that there is not."""

    code = "RECIPE_INVALID"


def actions_of(rules: Iterable[Rule], wanted: Mapping[str, Action]) -> dict[str, Action]:
    """By the rule's name. Raises BadPolicy for a rule that there is not, and for what cannot be done about one."""
    allowed = {rule.reason: rule.actions for rule in rules}
    for reason, action in wanted.items():
        if reason not in allowed:
            raise BadPolicy(f"the recipe's rules.actions names {reason!r}; the rules are {', '.join(allowed)}")
        if action not in allowed[reason]:
            raise BadPolicy(f"rules.actions[{reason!r}] is {action!r}; expected one of {', '.join(allowed[reason])}")
    return {reason: wanted.get(reason, actions[0]) for reason, actions in allowed.items()}
