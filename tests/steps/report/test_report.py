import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.unit.report import evidence

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.refs import FileRef
from ratchet.report.contract import ReportInputs, ReportOutputs
from ratchet.report.record import DecisionRecord
from ratchet.report.run import run

HOSTILE = "<script>alert('x')</script> {{ 7 * 7 }} & \"quotes\""
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Shape(HTMLParser):
    """Tags that are open, attributes that point elsewhere, and the text that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


def shape_of(page: str) -> Shape:
    shape = Shape()
    shape.feed(page)
    shape.close()
    return shape


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


def stored(world: World, *, candidate_right: float = 0.7, prompt: str | None = None, **changes: Any) -> ReportInputs:
    rows = evidence.split_rows()
    if prompt:
        rows[0]["prompt"] = prompt

    def put(value: object) -> FileRef:
        content = value.canonical_json() if hasattr(value, "canonical_json") else json.dumps(value).encode()
        return world.store.put_bytes(content)

    data = evidence.inputs().data.model_copy(update={"receipt": put(evidence.receipt())})
    files = {
        "prompts": world.store.put_bytes("".join(json.dumps(row) + "\n" for row in rows).encode()),
        "training_log": world.store.put_bytes(evidence.training_log()),
        "candidate_report": put(evidence.eval_report(rows, candidate_right, seed=1, model="c")),
        "baseline_report": put(evidence.eval_report(rows, 0.05, seed=2, model="b")),
    }
    return evidence.inputs(**files, data=data, **changes)


def page_of(world: World, outputs: ReportOutputs) -> str:
    return world.store.read_bytes(outputs.page).decode()


def test_the_page_opens_with_the_verdict_and_what_to_do(world: World) -> None:
    outputs = run(stored(world), world)

    text = " ".join(" ".join(shape_of(page_of(world, outputs)).text).split())

    assert outputs.verdict == "PASS"
    assert re.match(
        r"Pass: support support-4f2a91c07b3d Decision report: support release support-4f2a91c07b3d "
        r"Pass Approve: all 5 blocking checks passed, and intent exact_match goes from 5.0% to 68.7%.",
        text,
    )
    for said in (
        "arithmetic exact_match fell 0.7 points",
        "ratchet approve support-4f2a91c07b3d",
        "68.7%",
        "+63.7 points",
    ):
        assert said in text


def test_the_page_needs_nothing_but_itself_and_is_well_formed(world: World) -> None:
    page = page_of(world, run(stored(world), world))

    shape = shape_of(page)

    assert shape.open == []
    assert shape.links == []
    assert not shape.names & {"script", "link", "img", "iframe"}
    assert "url(" not in page
    assert "http" not in re.sub(r"http-equiv", "", page)
    assert len(page) < 100_000


def test_users_text_is_shown_not_run(world: World) -> None:
    inputs = stored(world, prompt=HOSTILE, stage_checks=(evidence.check("golden", "PASS", HOSTILE),))
    outputs = run(inputs, world)

    page = page_of(world, outputs)

    assert "<script>" not in page
    assert page.count(html.escape("<script>")) == 2
    assert "{{ 7 * 7 }}" in page
    assert "<script>" not in outputs.summary


def test_worse_answers_stand_first(world: World) -> None:
    text = " ".join(" ".join(shape_of(page_of(world, run(stored(world), world))).text).split())

    assert re.search(r"\d+ got better and \d+ got worse ; 10 of them, worse ones first", text)
    assert text.index("worse Give a label for") < text.index("better Give a label for")


def test_a_failed_release_offers_no_approval(world: World) -> None:
    inputs = stored(world, gate_checks=evidence.gate_checks(kept=232), gate_verdict="FAIL")

    outputs = run(inputs, world)
    page = page_of(world, outputs)

    assert outputs.verdict == "FAIL"
    assert "Reject: arithmetic exact_match fell 23.3 points" in page
    assert "ratchet approve" not in page
    assert "ratchet reject support-4f2a91c07b3d" in page


def test_an_undecided_release_asks_for_a_reason(world: World) -> None:
    outputs = run(stored(world, gate_checks=evidence.gate_checks(kept=345), gate_verdict="INCONCLUSIVE"), world)

    assert "ratchet approve support-4f2a91c07b3d --reason" in page_of(world, outputs)


def test_the_same_evidence_is_the_same_report(world: World, tmp_path: Path) -> None:
    elsewhere = World(Settings(root=tmp_path / "elsewhere"), tmp_path / "work")

    assert run(stored(world), world) == run(stored(elsewhere), elsewhere)


def test_the_record_binds_evidence_and_page(world: World) -> None:
    inputs = stored(world)
    outputs = run(inputs, world)

    record = DecisionRecord.model_validate_json(world.store.read_bytes(outputs.record))
    other = run(inputs.model_copy(update={"bundle": evidence.folder("9")}), world)

    assert record.evidence == inputs
    assert record.verdict == outputs.verdict
    assert record.page_sha256 == outputs.page.sha256
    assert other.record.sha256 != outputs.record.sha256


def test_evidence_with_gaps_still_makes_a_page(world: World) -> None:
    inputs = stored(
        world,
        baseline_scores=(),
        stage_checks=(evidence.check("latency", "INCONCLUSIVE", "not measured"),),
        stage_verdict="INCONCLUSIVE",
    )
    empty = world.store.put_bytes(b"")
    inputs = inputs.model_copy(update={"training_log": empty, "prompts": empty})

    outputs = run(inputs, world)

    assert outputs.verdict == "INCONCLUSIVE"
    assert shape_of(page_of(world, outputs)).open == []
    assert "Answers that changed" not in page_of(world, outputs)
