"""Finished work is found, not done again: the key of a step's work, and the record that it is done.

The manifest is written last, once, create-only. No manifest, no success.
"""

from typing import Any

from pydantic import AwareDatetime, NonNegativeFloat

from ratchet.core.contract import Contract, Sha256, digest_json

# Set by who starts a step elsewhere: the key under which the manifest is expected.
KEY_VARIABLE = "RATCHET_KEY"
# The field of a task's output that names its step's manifest.
MANIFEST_KEY = "manifest_key"


def step_key(
    step: str, contract_version: int, revision: int, inputs: Contract, lock_sha256: str, device: str
) -> Sha256:
    """Digest of everything that can change what a step puts out."""
    return digest_json(
        {
            "step": step,
            "contract_version": contract_version,
            "revision": revision,
            "inputs": inputs.model_dump(mode="json"),
            "lock_sha256": lock_sha256,
            "device": device,
        }
    )


class Manifest(Contract):
    """What a step did. `outputs` is the step's Outputs contract as plain data."""

    contract_version: int = 1
    step: str
    key: Sha256
    outputs: dict[str, Any]
    started_at: AwareDatetime
    wall_seconds: NonNegativeFloat
    peak_memory_mib: NonNegativeFloat


class ErrorRecord(Contract):
    """Why a step failed, in the place where its manifest would be. `code` is a row of core/failures.toml.

    Records of version 1 have no code and do not say whose they are.
    """

    contract_version: int = 2
    step: str
    key: Sha256
    run_id: str | None = None
    attempt: str | None = None
    code: str | None = None
    error: str
    message: str
    exit_code: int
    traceback: str | None
    at: AwareDatetime
