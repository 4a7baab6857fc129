"""Two engines, an edge and an evaluated candidate: what stage, bake and unload act on, without vLLM and Envoy."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.fakes.engine import FakeEngine
from tests.fakes.events import event, evidence, model, sha
from tests.fakes.mlflow import Registered
from tests.fakes.openai import Served, answering
from tests.fakes.router import FakeRouter

from ratchet.clients.engine import LoadedModel
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.evaluation import EvalReport, MeasuringPlan, MetricSamples, TaskReport, sample_id
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import Colour
from ratchet.core.rollout import first_state, switched_to

TASK = "intent"
ROWS = [{"id": f"r{number}", "prompt": f"Label: {number}", "answer": f"label_{number}"} for number in range(30)]
ANSWERS = {row["prompt"]: row["answer"] for row in ROWS}


class ServingWorld:
    """Release "a" is live on blue; "b" is the candidate, and its engine answers as it was evaluated."""

    line = "support"

    def __init__(self, folder: Path, colours: dict[Colour, Served], urls: dict[Colour, str], edge_url: str) -> None:
        self.world = World(Settings(root=folder), folder / "work")
        self.router = FakeRouter(first_state("blue", "a", sha("a"), seq=0), edge_url)
        self.engine = FakeEngine(urls)
        self.engine.held["blue"] = LoadedModel(release_id="a", model=model("a"))
        self.blue, self.green = colours["blue"], colours["green"]
        self.world.__dict__.update({"router": self.router, "engine": self.engine})  # as cached_property would
        self.prompts = self.world.store.put_bytes("\n".join(map(json.dumps, ROWS)).encode())
        self.ledger = self.world.ledger(self.line)
        self.ledger.append(lambda events: event("bootstrap", "a"))

    def report(self, of: str = "b") -> FileRef:
        task = TaskReport(
            name=TASK,
            version="1",
            config_sha256=sha("config"),
            data_sha256=self.prompts.sha256,
            sample_ids=tuple(map(sample_id, ROWS)),
            metrics=(MetricSamples(name="exact_match", higher_is_better=True, values=(1.0,) * len(ROWS)),),
            answers=tuple(row["answer"] for row in ROWS),
        )
        plan = MeasuringPlan(engine="test", dtype="float32", batch_size=1, seed=0)
        report = EvalReport(model_sha256=sha(of), chat_template_sha256=sha("t"), plan=plan, tasks=(task,))
        return self.world.store.put_bytes(report.canonical_json())


@contextmanager
def serving_world(folder: Path) -> Iterator[ServingWorld]:
    colours: dict[Colour, Served] = {
        "blue": Served(models={"support", "a", sha("a")}, answers=dict(ANSWERS)),
        "green": Served(models={"support", "b", sha("b")}, answers=dict(ANSWERS)),
    }
    made: list[ServingWorld] = []

    def behind_the_edge() -> Served:
        state = made[0].router.state
        assert state is not None
        return colours[state.active].edge(state.active, state.active_release)

    with ExitStack() as stack:
        urls: dict[Colour, str] = {
            "blue": stack.enter_context(answering(lambda: colours["blue"])),
            "green": stack.enter_context(answering(lambda: colours["green"])),
        }
        made.append(ServingWorld(folder, colours, urls, stack.enter_context(answering(behind_the_edge))))
        yield made[0]


def goes_live(place: ServingWorld, registered: Registered, model: FolderRef, **bound: str) -> None:
    """Release "b" was approved with that model and is live on green; "a", the base, waits on blue.

    `bound`: what the approval binds beside the model.
    """
    approval = evidence("b").model_copy(update={"candidate_sha256": model.sha256, **bound})
    for kind in ("approved", "promoting", "promoted"):
        entry = event(kind, "b", model=model, evidence=approval)  # type: ignore[arg-type]
        place.ledger.append(lambda events, entry=entry: entry)  # type: ignore[misc]
    place.engine.held["green"] = LoadedModel(release_id="b", model=model)
    place.green.models = {"support", "b", model.sha256}
    place.router.state = switched_to(first_state("blue", "a", sha("a"), seq=0), "green", "b", model.sha256, seq=2)
    registered.aliases = {"production": model.sha256, "previous": sha("a")}
