"""Metrics of an answer's text, one value a sample, where lm-eval has none or one of the whole data set only.

    metric_list:
      - {metric: rouge_l, aggregation: mean, higher_is_better: true}
      - {metric: matches, pattern: "[a-z_]+", aggregation: mean, higher_is_better: true}
      - {metric: says_none, phrases: [password], aggregation: mean, higher_is_better: true}
      - {metric: says_none, field: canary, …}      # the phrases stand in each row

| metric | value, 0 to 1 | settings |
|---|---|---|
| bleu, chrf | sacrebleu's sentence scores against the target (Post 2018; Popović 2015) | |
| rouge_l | rouge-score's F1 of the longest common subsequence with the target (Lin 2004) | |
| matches | 1 where the whole answer matches | pattern |
| valid_json | 1 where the answer is JSON, of the schema if there is one | schema |
| says_one, says_none | 1 where the answer holds one (none) of the phrases, whatever their case | phrases or field |
| grounded | the share of the answer's words that the field holds, e.g. a context (ROUGE-1 precision) | field |
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

TEXT_METRICS: Mapping[str, frozenset[str]] = {
    "bleu": frozenset(),
    "chrf": frozenset(),
    "rouge_l": frozenset(),
    "matches": frozenset({"pattern"}),
    "valid_json": frozenset({"schema"}),
    "says_one": frozenset({"phrases", "field"}),
    "says_none": frozenset({"phrases", "field"}),
    "grounded": frozenset({"field"}),
}
SETTINGS = frozenset().union(*TEXT_METRICS.values())


@dataclass(frozen=True)
class TextMetric:
    """One row of a metric_list. `settings` were checked by `problem_of`."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that each row must have."""
        return (self.settings["field"],) if "field" in self.settings else ()

    def value(self, answer: str, target: str, row: Mapping[str, Any]) -> float:
        if self.name == "bleu":
            return _bleu(answer, target)
        if self.name == "chrf":
            return _chrf(answer, target)
        if self.name == "rouge_l":
            return _rouge_l(answer, target)
        if self.name == "grounded":
            return _grounded(str(row[self.settings["field"]]), answer)
        return float(self._holds(answer, row))

    def _holds(self, answer: str, row: Mapping[str, Any]) -> bool:
        if self.name == "matches":
            return re.fullmatch(self.settings["pattern"], answer.strip()) is not None
        if self.name == "valid_json":
            return _is_json(self.settings.get("schema", {}), answer)
        said = _says(self.settings, answer, row)
        return said if self.name == "says_one" else not said


def problem_of(name: str, settings: Mapping[str, Any]) -> str | None:
    """What is wrong with a text metric's settings; None when nothing is."""
    if strange := sorted(set(settings) - TEXT_METRICS[name]):
        return f"{name} has no setting {strange[0]!r}; it has {sorted(TEXT_METRICS[name]) or 'none'}"
    if name in ("says_one", "says_none"):
        return _problem_of_phrases(name, settings)
    if name == "matches":
        return _problem_of_pattern(settings.get("pattern"))
    if name == "valid_json":
        return _problem_of_schema(settings.get("schema", {}))
    if name == "grounded" and not isinstance(settings.get("field"), str):
        return "grounded needs `field`: the row's field that holds what an answer may rest on"
    return None


def _problem_of_phrases(name: str, settings: Mapping[str, Any]) -> str | None:
    if ("phrases" in settings) == ("field" in settings):
        return f"{name} needs either `phrases`, a list of texts, or `field`, the row's field that holds them"
    if "field" in settings:
        return None if isinstance(settings["field"], str) else f"{name}: `field` must be a field's name"
    phrases = settings["phrases"]
    if not isinstance(phrases, list) or not phrases or not all(isinstance(p, str) and _plain(p) for p in phrases):
        return f"{name}: `phrases` is {phrases!r}, expected a list of texts with letters or digits in them"
    return None


def _problem_of_pattern(pattern: Any) -> str | None:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        return f"matches: `pattern` is {pattern!r}, expected a regular expression ({error})"
    return None


def _problem_of_schema(schema: Any) -> str | None:
    """References are refused: they could fetch what is not in the file."""
    if not isinstance(schema, dict) or '"$ref"' in json.dumps(schema):
        return f"valid_json: `schema` is {schema!r}, expected a JSON schema without $ref"
    return None


def _plain(text: str) -> str:
    """Words between single spaces, in lower case: neither layout nor punctuation hides a phrase."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return f" {' '.join(words)} " if words else ""


def _says(settings: Mapping[str, Any], answer: str, row: Mapping[str, Any]) -> bool:
    found = settings["phrases"] if "phrases" in settings else row[settings["field"]]
    phrases = [found] if isinstance(found, str) else found
    said = _plain(answer)
    return any(plain in said for phrase in phrases if (plain := _plain(str(phrase))))


def _is_json(schema: Mapping[str, Any], answer: str) -> bool:
    import jsonschema

    try:
        jsonschema.validate(json.loads(answer), schema)
    except (ValueError, RecursionError, jsonschema.ValidationError):
        return False
    return True


@cache
def _rouge(kind: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind])


def _bleu(answer: str, target: str) -> float:
    import sacrebleu

    return float(sacrebleu.sentence_bleu(answer, [target]).score) / 100


def _chrf(answer: str, target: str) -> float:
    import sacrebleu

    return float(sacrebleu.sentence_chrf(answer, [target]).score) / 100


def _rouge_l(answer: str, target: str) -> float:
    return float(_rouge("rougeL").score(target, answer)["rougeL"].fmeasure)


def _grounded(context: str, answer: str) -> float:
    """An answer without words claims nothing."""
    return float(_rouge("rouge1").score(context, answer)["rouge1"].precision) if _plain(answer) else 1.0
