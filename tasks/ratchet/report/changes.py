"""What is different from production: data, recipe, code, base model and chat template."""

from collections.abc import Iterator
from dataclasses import dataclass

from ratchet.core.evaluation import EvalReport
from ratchet.report.contract import Code, Origin, ReportInputs
from ratchet.report.fields import FieldChange, field_changes

_MAX_FIELDS = 10
_OLD_RECORD = "not on record, since its decision record is of an older version"


@dataclass(frozen=True)
class Change:
    """One line of the list. `changed`: is it another than production's? None where nobody knows."""

    what: str
    changed: bool | None
    said: str
    fields: tuple[FieldChange, ...] = ()
    num_more_fields: int = 0


def changes(
    inputs: ReportInputs, before: Origin | None, candidate: EvalReport, baseline: EvalReport
) -> tuple[Change, ...]:
    """In the order in which it usually matters. `before`: what production was made of, None where nobody kept it."""
    same_template = candidate.chat_template_sha256 == baseline.chat_template_sha256
    return (
        _data(inputs),
        _recipe(inputs, before),
        _code(inputs, before),
        _base(inputs, before),
        Change(
            "Chat template",
            changed=not same_template,
            said="the same" if same_template else "changed with the model; scores are compared all the same",
        ),
        *_left_out(candidate),
    )


def _data(inputs: ReportInputs) -> Change:
    share = inputs.data.num_new_rows / inputs.data.num_rows if inputs.data.num_rows else 0.0
    said = f"{inputs.data.num_new_rows:,} of {inputs.data.num_rows:,} rows are new ({share:.0%})"
    return Change("Data", changed=inputs.data.num_new_rows > 0, said=said)


def _recipe(inputs: ReportInputs, before: Origin | None) -> Change:
    if not inputs.baseline_recipe_sha256:
        return Change("Recipe", changed=True, said="production is the untuned base, which no recipe made")
    if inputs.baseline_recipe_sha256 == inputs.recipe_sha256:
        return Change("Recipe", changed=False, said="the same as production's")
    if before is None:
        return Change("Recipe", changed=True, said=f"changed since production was tuned; its fields are {_OLD_RECORD}")
    found = field_changes(before.recipe, inputs.origin.recipe)
    return Change(
        "Recipe",
        changed=True,
        said=f"changed since production was tuned, {_counted(len(found), 'field')}",
        fields=found[:_MAX_FIELDS],
        num_more_fields=len(found[_MAX_FIELDS:]),
    )


def _code(inputs: ReportInputs, before: Origin | None) -> Change:
    now = inputs.origin.code
    if not inputs.baseline_recipe_sha256:
        said = f"version {now.version}; production is the untuned base, which no step made"
        return Change("Code", changed=True, said=said)
    if before is None:
        return Change("Code", changed=None, said=f"version {now.version}; production's is {_OLD_RECORD}")
    parts = list(_code_parts(before.code, now))
    if not parts:
        return Change("Code", changed=False, said=f"the same: version {now.version}, {_steps(now)} and their packages")
    if before.code.steps == now.steps:
        parts.append(f"but {_steps(now)} and their packages are the same")
    return Change("Code", changed=True, said="; ".join(parts))


def _code_parts(before: Code, now: Code) -> Iterator[str]:
    if before.version != now.version:
        yield f"version {before.version} → {now.version}"
    for name in sorted(before.steps.keys() | now.steps.keys()):
        old, new = before.steps.get(name), now.steps.get(name)
        if old is None or new is None:
            yield f"{name} is {'new' if old is None else 'gone'}"
            continue
        if old.revision != new.revision:
            yield f"{name} revision {old.revision} → {new.revision}"
        if old.lock_sha256 != new.lock_sha256:
            yield f"packages of {name} changed"


def _base(inputs: ReportInputs, before: Origin | None) -> Change:
    now = inputs.origin.base.sha256
    if not inputs.baseline_recipe_sha256:
        is_production = inputs.baseline.sha256 == now
        said = "production is this base, untuned" if is_production else "production is another base, untuned"
        return Change("Base model", changed=not is_production, said=said)
    if before is None:
        return Change("Base model", changed=None, said=f"production's is {_OLD_RECORD}")
    if before.base.sha256 == now:
        return Change("Base model", changed=False, said="the same as production's")
    return Change("Base model", changed=True, said=f"{before.base.sha256[:12]} → {now[:12]}")


def _left_out(candidate: EvalReport) -> Iterator[Change]:
    for task in candidate.tasks:
        if task.num_left_out:
            near = f"{task.num_near_duplicates:,} that it asks in almost the same words"
            said = f"{task.num_overlapping:,} rows that the training holds word for word, and {near}"
            yield Change(f"Left out of {task.name}", changed=False, said=said)


def _steps(code: Code) -> str:
    *others, last = sorted(code.steps)
    return f"{', '.join(others)} and {last}" if others else last


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
