"""resolve: what is new, what is live, and the name of the release that follows from it."""

from pydantic import NonNegativeInt

from ratchet.core.contract import Contract, Name, Sha256
from ratchet.core.refs import FileRef, FolderRef


class ResolveInputs(Contract):
    contract_version: int = 1
    line: Name
    dataset: Name
    base: Name
    recipe_sha256: Sha256
    min_new_examples: NonNegativeInt


class ResolveOutputs(Contract):
    """`release_id` is a digest of baseline, dataset version and recipe: the same inputs are the same release.

    `baseline_recipe_sha256`: the recipe that production was tuned by; `baseline_record_sha256`: the decision record by
    which it went live. Both are empty for the untuned base.
    """

    contract_version: int = 2
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
