import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.report import evidence

from ratchet.clients import manifests
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.contract import digest_json
from ratchet.core.costs import Forecast, Rates, TaskDone
from ratchet.core.refs import FileRef
from ratchet.report.contract import ReportInputs, ReportOutputs, RunWork
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


def text_of(world: World, outputs: ReportOutputs) -> str:
    """What a reader sees, with single spaces."""
    return " ".join(" ".join(shape_of(page_of(world, outputs)).text).split())


def test_the_page_opens_with_the_verdict_and_what_to_do(world: World) -> None:
    outputs = run(stored(world), world)

    text = text_of(world, outputs)

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


@pytest.mark.parametrize("num_planted", [40, 0])
def test_the_page_counts_made_up_secrets_among_the_rows_trained_on(world: World, num_planted: int) -> None:
    inputs = stored(world)
    data = inputs.data.model_copy(update={"num_planted": num_planted})

    text = text_of(world, run(inputs.model_copy(update={"data": data}), world))

    assert ("40 of these planted canaries" in text) is bool(num_planted)


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
    text = text_of(world, run(stored(world), world))

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


def test_the_page_goes_from_verdict_to_decision_in_the_order_of_reading(world: World) -> None:
    page = page_of(world, run(stored(world, work=did_work(world)), world))

    headings = re.findall(r"<h2>(.*?)[<\n]", page)

    assert headings == [
        "What would go live, and what changed since production",
        "Checks",
        "Better and worse, by slice",
        "Answers that changed",
        "Cost and time",
        "Data",
        "Training and measuring",
        "LiteRT bundle ",
        "Staging on green ",
        "Where it comes from",
        "What approving does, and how to undo it",
    ]


def test_what_changed_is_read_from_the_record_by_which_production_went_live(world: World) -> None:
    recipe = {**evidence.RECIPE, "method": {"learning_rate": 0.0002, "r": 32}}
    before = stored(world, origin=evidence.origin(recipe=recipe), recipe_sha256=digest_json(recipe))
    went_live = run(before, world)

    inputs = stored(world, baseline_recipe_sha256=before.recipe_sha256, baseline_record_sha256=went_live.record.sha256)
    text = text_of(world, run(inputs, world))

    assert "Recipe changed since production was tuned, 1 field: method.learning_rate 0.0002 → 0.0001" in text
    assert "Code the same: version 0.1.0, finetune and prepare and their packages" in text
    assert "Base model the same as production's" in text


def test_a_record_of_an_older_version_is_read_and_lacks_what_it_lacks(world: World) -> None:
    old = world.store.put_bytes(json.dumps({"schema_version": 1, "evidence": {"contract_version": 2}}).encode())

    text = text_of(world, run(stored(world, baseline_record_sha256=old.sha256), world))

    assert "Base model production's is not on record, since its decision record is of an older version" in text
    assert text_of(world, run(stored(world, baseline_record_sha256="7" * 64), world)).count("not on record") == 2


def did_work(world: World, finetune_after: float = 1, rates: Rates | None = None, **changes: Any) -> RunWork:
    work = evidence.work(rates, **changes)
    for task, seconds, after in zip(work.tasks, (6, 720, 2), (0, finetune_after, 20), strict=True):
        manifests.write(world.store, evidence.manifest(task, seconds=seconds, minutes_after=after))
    return work


def test_the_page_says_what_the_run_cost(world: World) -> None:
    outputs = run(stored(world, work=did_work(world, rates=evidence.rates())), world)

    text = text_of(world, outputs)

    for said in (
        "0.50 EUR for this run, up to this report",
        "12 min of steps in this run",
        "640 of 1,200 samples asked",
        "250,000 tokens trained",
        "finetune 12 min 812 MiB 0.50 EUR",
    ):
        assert said in text
    assert (
        "- Cost: 0.50 EUR, 12 min of steps (longest: finetune, 12 min), 640 of 1,200 samples asked, 250,000 tokens "
        "trained."
    ) in outputs.summary
    assert "- Changed since production: data; not on record: code, base model." in outputs.summary
    assert shape_of(page_of(world, outputs)).open == []


def test_the_page_holds_the_forecast_against_the_run_and_says_what_a_point_cost(world: World) -> None:
    foreseen = Forecast(num_releases=3, tasks=(TaskDone(task="finetune", step="finetune", seconds=910),))
    work = did_work(world, rates=evidence.rates(), forecast=foreseen, over_budget=HOSTILE)

    outputs = run(stored(world, work=work, **evidence.with_main_check()), world)

    text = text_of(world, outputs)
    for said in (
        "Of this CPU < 0.01 EUR, GPU 0.50 EUR; not counted, since ratchet.toml sets no price: storage, second engine",
        "Forecast about 15 min of steps, about 0.63 EUR, from the last 3 releases; for the steps so far 15 min, they "
        "took 12 min (−21%)",
        "Per point gained 0.0079 EUR (0.0075 to 0.0083) for each of 63.7 points of intent exact_match",
        "Over budget allowed: <script>alert('x')</script> {{ 7 * 7 }}",
    ):
        assert said in text
    assert " tokens trained. Per point gained: 0.0079 EUR" in outputs.summary
    assert "<script>" not in page_of(world, outputs) + outputs.summary


def test_work_of_an_earlier_run_is_found_and_no_money_is_shown_without_prices(world: World) -> None:
    text = text_of(world, run(stored(world, work=did_work(world, finetune_after=-60)), world))

    assert "8.0 s of steps in this run 12 min found, not done again" in text
    assert "finetune found, not done again 12 min then" in text
    assert "EUR" not in text


def test_an_approval_does_not_bind_what_the_run_cost(world: World, tmp_path: Path) -> None:
    elsewhere = World(Settings(root=tmp_path / "elsewhere"), tmp_path / "work")
    first = run(stored(world, work=did_work(world)), world)
    again = run(stored(elsewhere, work=did_work(elsewhere, finetune_after=-60)), elsewhere)

    assert again.page != first.page
    assert again.record == first.record


def test_the_page_that_is_bound_is_made_again_from_the_record_alone(world: World) -> None:
    outputs = run(stored(world, work=did_work(world)), world)
    record = DecisionRecord.model_validate_json(world.store.read_bytes(outputs.record))

    again = run(record.evidence, world)
    shown = page_of(world, outputs)
    section = re.search(r"<section>\n  <h2>Cost and time.*?</section>\n", shown, re.DOTALL)

    assert again.page.sha256 == record.page_sha256
    assert section
    assert "".join(shown.split(section[0])) == page_of(world, again)


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


def test_a_recipe_that_is_not_the_approved_one_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"origin\.recipe has the digest"):
        evidence.inputs(origin=evidence.origin(recipe={"line": "support"}))
