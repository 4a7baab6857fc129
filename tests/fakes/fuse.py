"""A way to die, or to be overtaken, right before or after any one effect."""

from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process is gone: no handler of ours runs."""


class Fuse:
    """Counts effects and kills before or after the chosen one: 0 is before the first, 1 after it, 2 before the next.

    The dead have no effects any more. With `meanwhile` nobody dies: at that moment somebody else acts.
    """

    def __init__(self) -> None:
        self.set(None)

    def set(self, moment: int | None, meanwhile: Callable[[], object] | None = None) -> None:
        self.moment, self.meanwhile = moment, meanwhile
        self.num_effects, self.is_dead = 0, False

    def kills(self, moment: int, act: Callable[[], object]) -> bool:
        """Run `act` in a process that dies at `moment`; False when it ended before."""
        self.set(moment)
        try:
            act()
        except Killed:
            return True
        finally:
            self.set(None)
        return False

    def burn(self, effect: Callable[..., Any], *args: Any) -> Any:
        now = 2 * self.num_effects
        self.num_effects += 1
        self._pass(now)
        result = effect(*args)
        self._pass(now + 1)
        return result

    def _pass(self, moment: int) -> None:
        if self.moment == moment and self.meanwhile:
            act, self.moment = self.meanwhile, None
            act()
        elif self.moment == moment or self.is_dead:
            self.is_dead = True
            raise Killed
