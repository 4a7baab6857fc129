"""Release "b" with what its users sent and got, and the services that quality asks."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.fakes.events import event, evidence, model, sha

from ratchet.clients.settings import PrometheusSettings, Settings
from ratchet.clients.world import World
from ratchet.core.classifier import Classifier
from ratchet.core.evaluation import EvalReport, MeasuringPlan, MetricSamples, TaskReport
from ratchet.core.quality import Kpi, Quality
from ratchet.quality.contract import QualityInputs, QualityOutputs
from ratchet.quality.run import run

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
Reply = Callable[[str, dict[str, Any]], tuple[int, Any]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Release "b", in which the gate had measured 90 of 100, is live."""
    made = World(Settings(root=tmp_path), tmp_path / "work")
    made.ledger("support").append(lambda _: event("bootstrap", "a"))
    task = TaskReport(
        name="intent",
        version="1",
        config_sha256=sha("config"),
        data_sha256=sha("data"),
        sample_ids=tuple(f"s{number}" for number in range(100)),
        metrics=(
            MetricSamples(name="matches", higher_is_better=True, values=(1.0,) * 100),
            MetricSamples(name="exact_match", higher_is_better=True, values=(1.0,) * 90 + (0.0,) * 10),
        ),
    )
    plan = MeasuringPlan(engine="test", dtype="float32", batch_size=1, seed=0)
    report = EvalReport(model_sha256=sha("b"), chat_template_sha256=sha("t"), plan=plan, tasks=(task,))
    measured = made.store.put_bytes(report.canonical_json())
    record = made.store.put_bytes(json.dumps({"evidence": {"candidate_report": measured.model_dump()}}).encode())
    bound = evidence("b").model_copy(update={"report_sha256": record.sha256})
    for kind in ("approved", "promoting", "promoted"):
        entry = event(kind, "b", model=model("b"), evidence=bound)  # type: ignore[arg-type]
        made.ledger("support").append(lambda _, entry=entry: entry)  # type: ignore[misc]
    return made


def keep(
    world: World,
    texts: list[str],
    answers: list[str] | None = None,
    at: datetime = YESTERDAY,
    release: str = "b",
    colour: str = "blue",
) -> None:
    """As an engine keeps them; the n-th of a day's requests is called DAY-n."""
    world.settings.capture_dir.mkdir(parents=True, exist_ok=True)
    said = answers or ["refund"] * len(texts)
    records = (
        {
            "at": at.isoformat(),
            "request_id": f"{at.date()}-{number}",
            "release": release,
            "prompt": [{"role": "user", "content": text}],
            "answer": [answer],
        }
        for number, (text, answer) in enumerate(zip(texts, said, strict=True))
    )
    path = world.settings.capture_dir / f"{at.date()}-{colour}.jsonl"
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def tell(world: World, labels: list[str], at: datetime = YESTERDAY) -> None:
    """The truth about the first requests of a day."""
    world.settings.labels_dir.mkdir(parents=True, exist_ok=True)
    lines = ({"request_id": f"{at.date()}-{number}", "label": label} for number, label in enumerate(labels))
    with (world.settings.labels_dir / f"{at.date()}-labels.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def looked(world: World, toxicity: Classifier | None = None, kpis: tuple[Kpi, ...] = ()) -> QualityOutputs:
    return run(QualityInputs(line="support", task="intent", toxicity=toxicity, kpis=kpis), world)


def last(world: World) -> Quality:
    return world.quality("support").records()[-1]


def hits(world: World) -> dict[tuple[str, str], int]:
    return {(share.guard, share.side): share.num_hits for share in last(world).shares}


@contextmanager
def answering(reply: Reply) -> Iterator[tuple[str, list[Any]]]:
    """HTTP on loopback: its address, and what it was asked, with the key."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({name: value for name, [value] in parse_qs(urlsplit(self.path).query).items()})

        def do_POST(self) -> None:
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def answer(self, sent: dict[str, Any]) -> None:
            asked.append((sent, self.headers["Authorization"]))
            status, body = reply(urlsplit(self.path).path, sent)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def telling(*values: str) -> Reply:
    """A Prometheus that knows these numbers."""
    found = [{"metric": {}, "value": [0, value]} for value in values]
    return lambda path, sent: (200, {"status": "success", "data": {"resultType": "vector", "result": found}})


def with_prometheus(world: World, url: str) -> World:
    world.settings = world.settings.model_copy(update={"prometheus": PrometheusSettings(url=url)})
    return world
