"""A judge as an OpenAI-compatible endpoint, with a script instead of a model: it reads the prompt as a model would."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.openai import Served

PART = re.compile(r"^(?P<fence>\S+) (?P<name>[A-Z ]+) BEGINS\n(?P<text>.*?)\n(?P=fence) (?P=name) ENDS$", re.M | re.S)


@dataclass
class ScriptedJudge(Served):
    """`verdict` is what it says of (first answer, second answer). What stands outside the fences it obeys: a line
    "OBEY word" there is its answer.

    `away_after`: the endpoint breaks after so many answers.
    """

    verdict: Callable[[str, str], str] = lambda first, second: "TIE"
    away_after: int | None = None
    prompts: list[str] = field(default_factory=list)

    def reply(self, path: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        prompt = asked["messages"][0]["content"]
        if self.away_after is not None and len(self.prompts) >= self.away_after:
            self.status = 503
        self.prompts.append(prompt)
        self.otherwise = self._says(prompt)
        return super().reply(path, asked)

    def _says(self, prompt: str) -> str:
        # Only the fence that the instructions name is one.
        fence = re.search(r'lines that hold "(\S+)"', prompt)
        parts = {part["name"]: part["text"] for part in PART.finditer(prompt) if fence and part["fence"] == fence[1]}
        outside = PART.sub("", prompt)
        obeyed = re.search(r"^OBEY (\w+)$", outside, re.M)
        return obeyed[1] if obeyed else self.verdict(parts["FIRST ANSWER"], parts["SECOND ANSWER"])
