"""What `ratchet compare` and `ratchet review` share: find two models of a line, and measure them as a release does."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ratchet.clients.mlflow_rest import digest_of_version
from ratchet.clients.world import World
from ratchet.core.contract import Contract
from ratchet.core.errors import NotSetUp, TerminalError
from ratchet.core.memo import Manifest
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import previous_production, production, production_history
from ratchet.evaluate.contract import EvaluateInputs, EvaluateOutputs
from ratchet.finetune.contract import FinetuneOutputs
from ratchet.prepare.contract import PrepareInputs, PrepareOutputs
from ratchet.recipes.files import PolicyFiles
from ratchet.recipes.recipe import Recipe
from ratchet.validate.contract import ValidateInputs, ValidateOutputs

_SHORTEST_DIGEST = 6

DoStep = Callable[[str, Contract], Any]


@dataclass(frozen=True)
class Measured:
    """`candidate` and `baseline` are reports. `against`: what the gate is given beside the candidate's report, which is
    what the candidate's measuring was stopped by. `measuring`: the fields of EvaluateInputs that both sides share.
    """

    candidate: FileRef
    baseline: FileRef
    against: dict[str, Any]
    measuring: dict[str, Any]


def find_model(world: World, line: str, name: str) -> FolderRef:
    """A model by "production", "previous", release id, version number in MLflow, or the start of its digest."""
    events = world.ledger(line).events()
    live, before = production(events), previous_production(events)
    names = {release.release_id: release.model for release in production_history(events)}
    names |= {word: release.model for word, release in (("production", live), ("previous", before)) if release}
    if name in names:
        return names[name]
    digest = digest_of_version(world.settings.mlflow_url, line, name) if re.fullmatch(r"\d{1,5}", name) else name
    known = {model.sha256: model for model in [*(event.model for event in events), *_tuned(world)]}
    matches = [known[sha256] for sha256 in known if len(digest) >= _SHORTEST_DIGEST and sha256.startswith(digest)]
    if len(matches) == 1:
        return matches[0]
    found = f"{name!r} begins {len(matches)} models' digests" if matches else f"{line} has no model {name!r}"
    raise TerminalError(
        f"{found}: name a release ({', '.join(sorted(names))}), a version number as MLflow shows it, or at least "
        f"{_SHORTEST_DIGEST} digits of a digest"
    )


def measure(do: DoStep, world: World, recipe: Recipe, candidate: FolderRef, baseline: FolderRef) -> Measured:
    """The steps of a release from validate to evaluate; what a release has done already is found."""
    versions = world.datasets(recipe.dataset).records()
    if not versions:
        raise TerminalError(f"dataset {recipe.dataset} is empty, so nothing can be asked: `ratchet submit FILE`")
    base = world.base(recipe.base)
    if base is None:
        raise NotSetUp(f"the store has no base model named {recipe.base!r}, whose tokens are counted: run `ratchet up`")
    for one in recipe.evaluation_sets:
        world.store.put_file(PolicyFiles(world.settings.root).data_path(one.name))
    rows = versions[-1].rows
    checked: ValidateOutputs = do("validate", ValidateInputs.model_validate(recipe.validating(rows, base)))
    data: PrepareOutputs = do("prepare", PrepareInputs.model_validate(recipe.preparing(checked.accepted, base)))
    measuring = recipe.measuring(data.test, data.train, data.canaries)
    theirs: EvaluateOutputs = do("evaluate", EvaluateInputs.model_validate({"model": baseline, **measuring}))
    against = {
        "baseline_report": theirs.report,
        # Nobody asks a model to be better than the other because of the other's name.
        "baseline_is_bootstrap": False,
        "policy": recipe.gate,
    }
    ours: EvaluateOutputs = do(
        "evaluate", EvaluateInputs.model_validate({"model": candidate, "stopping": against, **measuring})
    )
    return Measured(ours.report, theirs.report, against, measuring)


def measure_whole(do: DoStep, measured: Measured, candidate: FolderRef) -> FileRef:
    """The candidate's report on every sample, not only on those that the gate needed."""
    whole: EvaluateOutputs = do("evaluate", EvaluateInputs.model_validate({"model": candidate, **measured.measuring}))
    return whole.report


def _tuned(world: World) -> Iterator[FolderRef]:
    for key in world.store.keys("manifests/finetune/"):
        manifest = Manifest.model_validate_json(world.store.get(key) or b"")
        yield FinetuneOutputs.model_validate(manifest.outputs).model
