"""A release on real engines behind the real edge, watched by users who never stop asking."""

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

import httpx
import pytest
from tests.steps.serving.conftest import TASK, Serving
from tests.steps.serving.load import Users, users, wait_for_requests
from tests.steps.serving.models import PROMPTS

from ratchet.bake.contract import BakeInputs, BakeSettings
from ratchet.bake.run import run as bake
from ratchet.clients.engine import requests_in_flight
from ratchet.clients.memory import MIB
from ratchet.clients.settings import CONFIG_VARIABLE
from ratchet.clients.store import DigestMismatch
from ratchet.core.errors import EXIT_TRANSIENT
from ratchet.core.refs import FolderRef
from ratchet.core.rollout import swapped_back, switched_to
from ratchet.stage.contract import StageInputs, StageOutputs, StageSettings
from ratchet.stage.ready import EngineDied, EngineOutOfMemory
from ratchet.stage.run import run as stage
from ratchet.unload.contract import UnloadInputs
from ratchet.unload.run import run as unload

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def tuned(serving: Serving) -> FolderRef:
    return serving.model("tuned")


@pytest.fixture(scope="module")
def staged(serving: Serving, tuned: FolderRef) -> StageOutputs:
    with _asking(serving, num_threads=1) as load:
        outputs = stage(_candidate(serving, tuned, "tuned"), serving.world)
    assert load.failures == []
    assert set(load.answers) == {("base", "base")}
    return outputs


def _asking(serving: Serving, num_threads: int = 4) -> AbstractContextManager[Users]:
    return users(serving.world.router.url(), "support", PROMPTS[0], num_threads)


def _candidate(serving: Serving, model: FolderRef, answer: str) -> StageInputs:
    return StageInputs(
        line="support",
        release_id=answer,
        model=model,
        prompts=serving.prompts(answer),
        candidate_report=serving.report(model, answer),
        task=TASK,
        settings=StageSettings(max_latency_ratio=5.0),
    )


def test_only_what_users_need_is_exposed(serving: Serving) -> None:
    edge = serving.world.router.url()

    assert httpx.get(f"{edge}/health").json() == {"active": "blue", "release": "base"}
    assert httpx.get(f"{edge}/v1/models").json()["data"][0]["id"] == "support"
    for path in ("/metrics", "/version", "/tokenize", "/docs", "/v1/load_lora_adapter"):
        assert httpx.post(edge + path, json={}).status_code == 404


def test_an_engines_sockets_stay_in_the_platforms_folder(serving: Serving) -> None:
    assert any(path.is_socket() for path in (serving.settings.state / "serving" / "sockets" / "blue").iterdir())


def test_a_cut_off_candidate_is_refused_in_seconds(serving: Serving) -> None:
    cut = serving.model("cut", kind="truncated")
    started = time.monotonic()

    with pytest.raises(EngineDied, match="truncated"):
        stage(_candidate(serving, cut, "cut"), serving.world)

    assert time.monotonic() - started < 30
    assert serving.world.engine.loaded("green") is None


def test_a_candidate_that_needs_more_memory_than_it_may_have_is_told_so(serving: Serving) -> None:
    endless = serving.model("endless", kind="endless")

    with (
        _asking(serving, num_threads=1) as load,
        pytest.raises(EngineOutOfMemory, match=r"(?s)run out of memory.*KV cache"),
    ):
        stage(_candidate(serving, endless, "endless"), serving.world)

    assert load.failures == []
    assert serving.world.engine.loaded("green") is None


@pytest.fixture
def stored(serving: Serving, tmp_path: Path) -> FolderRef:
    """A model that never gets as far as being looked at."""
    (tmp_path / "model.safetensors").write_bytes(os.urandom(2 * MIB))
    return serving.world.store.put_folder(tmp_path)


def test_a_candidate_whose_file_was_tampered_with_is_never_loaded(serving: Serving, stored: FolderRef) -> None:
    (weights,) = [path for path in _blobs(serving) if path.stat().st_size == 2 * MIB]
    weights.chmod(0o644)
    with weights.open("r+b") as file:
        file.seek(MIB)
        file.write(b"tampered")

    with pytest.raises(DigestMismatch, match="changed or torn"):
        stage(_candidate(serving, stored, "tampered"), serving.world)

    weights.unlink()
    _assert_nothing_was_loaded(serving)


def test_a_disk_that_fills_while_staging_is_told_and_nothing_is_left(serving: Serving, stored: FolderRef) -> None:
    command = [serving.settings.python("ops"), "-m", "ratchet", "stage", "-"]
    inputs = _candidate(serving, stored, "too large").canonical_json()
    limit = (MIB, MIB)  # to a process, a file that may not grow is a disk that is full

    done = subprocess.run(
        command,
        input=inputs,
        capture_output=True,
        env={**os.environ, CONFIG_VARIABLE: str(serving.config)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        timeout=120,
        check=False,
    )

    assert done.returncode == EXIT_TRANSIENT
    assert b"free space, then run again" in done.stderr
    assert b'"code": "DISK_FULL"' in done.stderr
    _assert_nothing_was_loaded(serving)


def _blobs(serving: Serving) -> Iterator[Path]:
    return (path for path in (serving.settings.state / "store").rglob("*") if path.is_file())


def _assert_nothing_was_loaded(serving: Serving) -> None:
    assert serving.world.engine.loaded("green") is None
    models = serving.settings.state / "serving" / "models"
    assert [path.name for path in models.iterdir()] == [serving.world.router.read().active_model]


def test_a_candidate_is_staged_while_users_are_served(staged: StageOutputs, serving: Serving) -> None:
    print(f"ready after {staged.ready_seconds:.1f} s; {[check.reason for check in staged.checks]}")

    assert (staged.colour, staged.verdict) == ("green", "PASS")
    assert serving.world.router.read().active == "blue"


def test_traffic_moves_back_and_forth_without_a_failed_request(
    staged: StageOutputs, serving: Serving, tuned: FolderRef
) -> None:
    router = serving.world.router
    blue_first = router.read()
    seconds = []
    with _asking(serving) as load:
        for _ in range(6):
            forward = switched_to(blue_first, "green", "tuned", tuned.sha256, seq=0)
            for state in (forward, swapped_back(forward)):
                wait_for_requests(load, 12)
                started = time.perf_counter()
                router.write(state, router.read())
                seconds.append(time.perf_counter() - started)
                _assert_next_answer_is_from(state.active_release, serving)
        wait_for_requests(load, 12)
    took = f"{median(seconds) * 1000:.1f} ms median, {max(seconds) * 1000:.1f} ms worst"
    print(f"{load.num_requests} streams, {len(load.failures)} failed, {len(seconds)} switches: {took}")

    assert load.failures == []
    assert set(load.answers) == {("base", "base"), ("tuned", "tuned")}  # each answer by the release that it names
    assert median(seconds) < 1.0


def test_a_canary_gets_its_share(staged: StageOutputs, serving: Serving, tuned: FolderRef) -> None:
    router = serving.world.router
    before = router.read()
    canary = switched_to(before, "green", "tuned", tuned.sha256, seq=0)
    router.write(canary.model_copy(update={"active": "blue", "weights": {"blue": 50, "green": 50}}), router.read())
    with _asking(serving) as load:
        wait_for_requests(load, 100)
    router.write(before, router.read())

    assert load.failures == []
    assert 25 <= load.answers[("tuned", "tuned")] * 100 / load.num_requests <= 75


def test_a_promoted_candidate_is_baked_and_can_be_left_again(
    staged: StageOutputs, serving: Serving, tuned: FolderRef
) -> None:
    router = serving.world.router
    router.write(switched_to(router.read(), "green", "tuned", tuned.sha256, seq=0), router.read())

    outputs = bake(
        BakeInputs(
            line="support",
            release_id="tuned",
            prompts=serving.prompts("tuned"),
            candidate_report=serving.report(tuned, "tuned"),
            task=TASK,
            staged_latency_ms=staged.preview_latency_ms,
            settings=BakeSettings(duration_seconds=5.0, max_latency_ratio=5.0),
        ),
        serving.world,
    )

    print(outputs.reason)
    assert (outputs.verdict, outputs.num_failed) == ("PASS", 0)


def test_a_colour_is_unloaded_only_after_its_last_answer(
    staged: StageOutputs, serving: Serving, tuned: FolderRef
) -> None:
    world = serving.world
    with _asking(serving) as load:
        wait_for_requests(load, 12)
        world.router.write(swapped_back(world.router.read()), world.router.read())
        outputs = unload(UnloadInputs(line="support", release_id="tuned", model=tuned), world)
        wait_for_requests(load, 12)

    assert outputs.unloaded
    assert load.failures == []
    assert set(load.answers) == {("base", "base"), ("tuned", "tuned")}
    assert requests_in_flight(serving.settings.ports, "green") == 0
    assert world.engine.loaded("green") is None


def _assert_next_answer_is_from(release: str, serving: Serving) -> None:
    one = Users(serving.world.router.url(), "support", PROMPTS[1])
    with httpx.Client(timeout=60.0, trust_env=False) as http:
        answered = one.ask(http)
    assert (answered.release, answered.text) == (release, release)
