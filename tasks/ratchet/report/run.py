"""report: all evidence of one release on one page, and the record that an approval binds."""

import hashlib
import json
from dataclasses import replace

from ratchet.clients import manifests
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.evaluation import EvalReport, parse_report
from ratchet.core.log import log
from ratchet.report.contract import Origin, ReportInputs, ReportOutputs
from ratchet.report.costs import run_costs
from ratchet.report.judge import join_verdicts
from ratchet.report.page import render
from ratchet.report.record import DecisionRecord, bound, origin_of
from ratchet.report.samples import parse_rows
from ratchet.report.spending import spending
from ratchet.report.summary import summary
from ratchet.report.view import Page, view


def run(inputs: ReportInputs, world: World) -> ReportOutputs:
    store, evidence = world.store, bound(inputs)
    candidate = parse_report(store.read_bytes(inputs.candidate_report), "the candidate's report")
    baseline = parse_report(store.read_bytes(inputs.baseline_report), "the baseline's report")
    training_log = store.read_bytes(inputs.training_log)
    verdict = join_verdicts(inputs)
    page = view(
        evidence,
        verdict,
        reports=(candidate, baseline),
        before=_origin_of_production(inputs, store),
        prompts=parse_rows(store.read_bytes(inputs.prompts)),
        receipt=json.loads(store.read_bytes(inputs.data.receipt)),
        training_log=training_log,
    )
    record = DecisionRecord(
        verdict=verdict,
        recommendation=page.recommendation,
        evidence=evidence,
        page_sha256=hashlib.sha256(render(page)).hexdigest(),
    )
    shown = _with_costs(page, inputs, store, training_log, candidate)
    log.info("reported", extra={"verdict": verdict, "recommendation": page.recommendation})
    return ReportOutputs(
        page=store.put_bytes(render(shown)),
        record=store.put_bytes(record.canonical_json()),
        verdict=verdict,
        summary=summary(shown),
    )


def _origin_of_production(inputs: ReportInputs, store: Store) -> Origin | None:
    record = store.find_bytes(inputs.baseline_record_sha256) if inputs.baseline_record_sha256 else None
    return origin_of(record) if record else None


def _with_costs(page: Page, inputs: ReportInputs, store: Store, training_log: bytes, candidate: EvalReport) -> Page:
    work = inputs.work
    if work is None:
        return page
    found = [manifests.find(store, task.step, task.key) for task in work.tasks]
    costs = run_costs(inputs, work, found, training_log)
    return replace(page, costs=costs, spending=spending(inputs, work, costs, candidate))
