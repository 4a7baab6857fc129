"""A release of the adapter lane on real engines behind the real edge: the candidate from the base's own files."""

from collections.abc import Iterator

import httpx
import pytest
from tests.steps.serving.conftest import TASK, Serving, Tuned
from tests.steps.serving.load import users, wait_for_requests
from tests.steps.serving.models import PROMPTS

from ratchet.clients.openai import served_names
from ratchet.core.refs import digest_folder
from ratchet.core.rollout import switched_to
from ratchet.core.serving import ServingSettings
from ratchet.rollback.contract import RollbackInputs
from ratchet.rollback.run import run as rollback
from ratchet.stage.contract import StageInputs, StageOutputs, StageSettings
from ratchet.stage.run import run as stage

pytestmark = pytest.mark.timeout(900)

# In nats. fp32 rounding of W + B A against W x + B (A x) gives some 1e-5, another model's answers 0.1 and more.
MAX_LOGPROB_DIFFERENCE = 1e-3


@pytest.fixture(scope="module")
def tuned(serving: Serving) -> Tuned:
    return serving.adapter("tuned")


@pytest.fixture(scope="module")
def staged(serving: Serving, tuned: Tuned) -> Iterator[StageOutputs]:
    """Release "light" on green, as adapter on the base that blue serves to users as it is."""
    inputs = StageInputs(
        line="support",
        release_id="light",
        model=tuned.model,
        parts=tuned.parts,
        prompts=serving.prompts("tuned"),
        candidate_report=serving.report(tuned.model, "tuned"),
        task=TASK,
        settings=StageSettings(max_latency_ratio=50.0),
        serving=ServingSettings(lane="adapter"),
    )
    yield stage(inputs, serving.world)
    serving.world.engine.unload("green")


def _ask(url: str, model: str | None, prompt: str = PROMPTS[0]) -> httpx.Response:
    messages = [{"role": "user", "content": prompt}]
    body = {"model": model, "messages": messages, "max_tokens": 16, "temperature": 0, "logprobs": True}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60.0)


def _text(response: httpx.Response) -> str:
    return str(response.raise_for_status().json()["choices"][0]["message"]["content"])


def test_the_adapter_on_its_base_answers_the_golden_prompts_as_the_evaluated_model(staged: StageOutputs) -> None:
    golden = staged.checks[0]

    assert (golden.name, golden.verdict, golden.candidate) == ("golden prompts", "PASS", 1.0)


def test_its_log_probabilities_are_those_of_the_merged_model(
    staged: StageOutputs, serving: Serving, tuned: Tuned
) -> None:
    url, differences = serving.world.engine.url("green"), []
    for expected in tuned.said:
        tokens = _ask(url, "support", expected["prompt"]).raise_for_status().json()["choices"][0]["logprobs"]["content"]
        pairs = zip(tokens, expected["logprobs"], strict=False)  # an engine may leave out the token that ends it
        differences += [abs(token["logprob"] - logprob) for token, logprob in pairs]
    print(f"{len(differences)} tokens, largest difference {max(differences):.2g} nats")

    assert len(differences) >= 2 * len(PROMPTS)
    assert max(differences) <= MAX_LOGPROB_DIFFERENCE


def test_no_name_and_no_missing_name_leads_to_the_base(staged: StageOutputs, serving: Serving, tuned: Tuned) -> None:
    url, base = serving.world.engine.url("green"), tuned.parts.base.sha256
    names = ["support", "light", tuned.model.sha256]

    assert {_text(_ask(url, name)) for name in (*names, "", None)} == {"tuned"}
    assert [_ask(url, name).status_code for name in (base, f"base-{base}")] == [404, 404]
    assert list(served_names(url)) == names


def test_only_the_base_that_users_have_already_and_the_adapter_are_on_disk(
    staged: StageOutputs, serving: Serving, tuned: Tuned
) -> None:
    folders = (serving.settings.state / "serving" / "models").iterdir()

    assert {digest_folder(folder) for folder in folders} == {tuned.parts.base.sha256, tuned.parts.adapter.sha256}


@pytest.mark.parametrize("path", ["/v1/load_lora_adapter", "/v1/unload_lora_adapter"])
def test_nobody_loads_an_adapter_at_run_time(staged: StageOutputs, serving: Serving, path: str) -> None:
    world = serving.world
    adapter = str(serving.settings.state / "serving" / "models")

    for url in (world.engine.url("green"), world.router.url()):
        assert httpx.post(url + path, json={"lora_name": "mine", "lora_path": adapter}).status_code == 404


def test_users_move_to_it_and_back_to_the_merged_lane_without_a_failed_request(
    staged: StageOutputs, serving: Serving, tuned: Tuned
) -> None:
    router = serving.world.router
    with users(router.url(), "support", PROMPTS[0]) as load:
        wait_for_requests(load, 12)
        router.write(switched_to(router.read(), "green", "light", tuned.model.sha256, seq=0), router.read())
        wait_for_requests(load, 12)
        outputs = rollback(RollbackInputs(line="support", by="omar", reason="rehearsed"), serving.world)
        wait_for_requests(load, 12)

    assert load.failures == []
    assert set(load.answers) == {("base", "base"), ("light", "tuned")}
    assert (outputs.release_id, outputs.cold_start) == ("base", False)
