"""A release without a training: the base with one bit changed, approved in the real ledger, promoted by the real step.

What it was approved on is what it answers: its evaluation is made up of that, as the monitor's golden prompts need it.
"""

import json
import shutil
from datetime import UTC, datetime

from tests.gameday.place import Place, wait

from ratchet.cli.here import do_step
from ratchet.clients.engine import to_load
from ratchet.clients.openai import chat
from ratchet.core.contract import digest_json
from ratchet.core.evaluation import EvalReport, MeasuringPlan, MetricSamples, TaskReport, sample_id
from ratchet.core.proposal import Proposal
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import production
from ratchet.core.rollout import other
from ratchet.promote.contract import Canary, PromoteInputs, PromoteOutputs
from ratchet.recipes.recipe import Recipe

NAME = "gameday-1"
READY_SECONDS = 900.0
NUM_PROMPTS = 8
PROMPTS = [f"Give a label for: where is parcel {number}?" for number in range(NUM_PROMPTS)]


def stage(place: Place) -> None:
    """On the colour without users; returns when it answers."""
    model = _model(place)
    engine, preview = place.world.engine, other(place.state.active)
    engine.load(preview, to_load(NAME, model, None, place.recipe.serving))
    wait(f"{preview} answers", lambda: engine.problem(preview, model.sha256) is None, READY_SECONDS)


def promote(place: Place, *, canary: bool = False) -> PromoteOutputs:
    """Approved just now by whom the recipe names. Returns when the users have it, or the canary was given up."""
    world, recipe, preview = place.world, place.recipe, other(place.state.active)
    staged, live = world.engine.loaded(preview), production(world.ledger(recipe.line).events())
    assert staged is not None, f"{preview} holds nothing"
    assert live is not None, "nothing is in production"
    prompts, report = _answers(place, recipe, staged.model)
    evidence = {name: ref.model_dump(mode="json") for name, ref in (("prompts", prompts), ("candidate_report", report))}
    record = world.store.put_bytes(json.dumps({"evidence": {**evidence, "release_id": NAME}}).encode())
    proposal = Proposal(
        line=recipe.line,
        release_id=NAME,
        candidate=staged.model,
        baseline=live.model,
        bundle=staged.model,
        report=record,
        dataset=prompts,
        recipe_sha256=recipe.sha256,
    )
    approval = proposal.event("approved", datetime.now(UTC), recipe.approvers[0], "game day")
    world.ledger(recipe.line).append(lambda events: approval)
    tried = Canary(settings=recipe.canary, prompts=prompts, candidate_report=report, task=recipe.split_task.name)
    inputs = PromoteInputs(proposal=proposal, approvers=recipe.approvers, canary=tried if canary else None)
    outputs: PromoteOutputs = do_step(place.settings, place.config, "promote", inputs, lambda line: None)
    return outputs


def _model(place: Place) -> FolderRef:
    live = place.world.engine.loaded(place.state.active)
    assert live is not None
    folder = place.home / "stand-in"
    shutil.rmtree(folder, ignore_errors=True)
    place.world.store.fetch_folder(live.model, folder)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4] ^= 1  # the last bit of the last number
    weights.unlink()
    weights.write_bytes(content)
    return place.world.store.put_folder(folder)


def _answers(place: Place, recipe: Recipe, model: FolderRef) -> tuple[FileRef, FileRef]:
    """The prompts, and an evaluation that says what the loaded model says."""
    url, longest = place.world.engine.url(other(place.state.active)), recipe.stage.max_answer_tokens
    said = tuple(chat(url, recipe.line, prompt, longest).text for prompt in PROMPTS)
    rows = [
        {"id": str(n), "prompt": prompt, "answer": text}
        for n, (prompt, text) in enumerate(zip(PROMPTS, said, strict=True))
    ]
    task = TaskReport(
        name=recipe.split_task.name,
        version="1",
        config_sha256=digest_json({}),
        data_sha256=digest_json(rows),
        sample_ids=tuple(map(sample_id, rows)),
        metrics=(MetricSamples(name="exact_match", higher_is_better=True, values=(1.0,) * len(rows)),),
        answers=said,
    )
    plan = MeasuringPlan(engine="test", dtype="float32", batch_size=1, seed=0)
    report = EvalReport(model_sha256=model.sha256, chat_template_sha256=digest_json(""), plan=plan, tasks=(task,))
    put = place.world.store.put_bytes
    return put("\n".join(map(json.dumps, rows)).encode()), put(report.canonical_json())
