"""What users wrote is in the rows and in the quarantine, and in no log, manifest, error record, receipt or page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.planted import AWS_KEY, CARD, EMAIL, PASSWORD, PROMPT, SECRETS, leaks, leaks_in
from tests.steps.validate.conftest import CLEAN, QUICK, ROOT, as_csv, as_jsonl

from ratchet.clients.settings import CONFIG_VARIABLE, OVERRIDES
from ratchet.clients.world import World
from ratchet.core.errors import EXIT_DONE, EXIT_TERMINAL
from ratchet.validate.contract import ValidateInputs, ValidateOutputs

PLANTED = (
    PROMPT,
    f"Write to {EMAIL} now",
    f"My key is {AWS_KEY}",
    f"My {PASSWORD} does not work",
    f"Card {CARD} is lost",
)
DIRTY = [*CLEAN, *((text, "refund") for text in PLANTED), *((text, "") for text in PLANTED)]
ROW = json.dumps({"text": " ".join(PLANTED), "label": "refund"}).encode()


def validated(world: World, content: bytes, name: str) -> "subprocess.CompletedProcess[str]":
    """The step as Airflow starts it."""
    inputs = ValidateInputs(upload=world.store.put_bytes(content), file_name=name, rules=QUICK)
    (world.settings.root / "ratchet.toml").touch()
    environment = {
        **os.environ,
        CONFIG_VARIABLE: str(world.settings.root / "ratchet.toml"),
        OVERRIDES["root"]: str(ROOT),
        OVERRIDES["state_dir"]: str(world.settings.state),
    }
    command = [sys.executable, "-m", "ratchet", "validate", inputs.model_dump_json()]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def records(world: World) -> list[Path]:
    return [world.settings.state / "store" / kind for kind in ("manifests", "errors")]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (as_csv(DIRTY), "up.csv"),
        (as_jsonl([dict(zip(("text", "label"), row, strict=True)) for row in DIRTY]), "up.jsonl"),
    ],
)
def test_a_dirty_upload_is_told_in_numbers(world: World, content: bytes, name: str) -> None:
    done = validated(world, content, name)

    assert done.returncode == EXIT_DONE, done.stderr
    assert leaks(done.stderr + done.stdout) == []
    manifests, errors = records(world)
    assert list(manifests.rglob("*.json"))
    assert (leaks_in(manifests), leaks_in(errors)) == ({}, {})
    outputs = ValidateOutputs.model_validate_json(done.stdout)
    assert outputs.num_quarantined > 0
    for ref in (outputs.receipt, outputs.page):
        assert leaks(world.store.read_bytes(ref).decode(), SECRETS) == []
    assert leaks(world.store.read_bytes(outputs.quarantine).decode(), [AWS_KEY]) == [AWS_KEY]  # the search does find


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (as_csv(DIRTY[1:], header=(PROMPT, EMAIL)), "no-header.csv"),
        (as_csv(CLEAN) + b'"' + ROW, "open-quote.csv"),
        (as_csv(CLEAN) + b'"' + b'a "quoted" text ' + PASSWORD.encode() + b'",refund\n', "bad-quote.csv"),
        (as_csv(CLEAN) + " ".join(PLANTED).encode() + b" caf\xe9,refund\n", "latin.csv"),
        (ROW + b"\n" + ROW[:-9], "cut.jsonl"),
        (ROW + b"\n" + ROW[:-1] + b" " + ROW + b"\n", "broken.jsonl"),
        (b"[" + ROW + b"]\n", "list.jsonl"),
        (ROW, "text.parquet"),
        (b"PAR1" + ROW + b"PAR1", "torn.parquet"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refused_upload_is_told_by_place_and_not_by_what_stands_there(
    world: World, content: bytes, name: str
) -> None:
    done = validated(world, content, name)

    assert done.returncode == EXIT_TERMINAL, done.stdout
    assert '"code": "DATA_REFUSED"' in done.stderr
    assert leaks(done.stderr + done.stdout) == []
    manifests, errors = records(world)
    assert list(errors.rglob("*.json"))
    assert (leaks_in(manifests), leaks_in(errors)) == ({}, {})
