"""resolve: what is new, what is live, and the name of the release that follows from it."""

from pydantic import NonNegativeInt

from ratchet.core.budget import Budget
from ratchet.core.contract import Contract, Name, Sha256
from ratchet.core.costs import Forecast, Rates
from ratchet.core.refs import FileRef, FolderRef


class ResolveInputs(Contract):
    """`budget` is held by `rates`, today's prices. `over_budget`: why the release may cost more, in a person's words.
    The steps in `grows_with_rows` are foreseen to take longer for a larger dataset.
    """

    contract_version: int = 2
    line: Name
    dataset: Name
    base: Name
    recipe_sha256: Sha256
    min_new_examples: NonNegativeInt
    rates: Rates | None = None
    grows_with_rows: tuple[Name, ...] = ()
    budget: Budget | None = None
    over_budget: str = ""


class ResolveOutputs(Contract):
    """`release_id` is a digest of baseline, dataset version and recipe: the same inputs are the same release.

    `baseline_recipe_sha256`: the recipe that production was tuned by; `baseline_record_sha256`: the decision record by
    which it went live. Both are empty for the untuned base.
    """

    contract_version: int = 3
    release_id: str
    recipe_sha256: Sha256
    rows: FileRef
    receipt: FileRef
    base: FolderRef
    baseline: FolderRef
    baseline_release_id: str
    baseline_recipe_sha256: str
    baseline_record_sha256: str
    baseline_is_bootstrap: bool
    num_rows: NonNegativeInt
    num_quarantined: NonNegativeInt
    num_new_rows: NonNegativeInt
    forecast: Forecast = Forecast()
