"""report: all evidence of one release on one page, and the record that an approval binds."""

import hashlib
import json

from ratchet.clients.world import World
from ratchet.core.evaluation import parse_report
from ratchet.core.log import log
from ratchet.report.contract import ReportInputs, ReportOutputs
from ratchet.report.judge import join_verdicts
from ratchet.report.page import render
from ratchet.report.record import DecisionRecord
from ratchet.report.samples import parse_rows
from ratchet.report.summary import summary
from ratchet.report.view import view


def run(inputs: ReportInputs, world: World) -> ReportOutputs:
    store = world.store
    candidate = parse_report(store.read_bytes(inputs.candidate_report), "the candidate's report")
    baseline = parse_report(store.read_bytes(inputs.baseline_report), "the baseline's report")
    verdict = join_verdicts(inputs)
    page = view(
        inputs,
        verdict,
        reports=(candidate, baseline),
        prompts=parse_rows(store.read_bytes(inputs.prompts)),
        receipt=json.loads(store.read_bytes(inputs.data.receipt)),
        training_log=store.read_bytes(inputs.training_log),
    )
    html = render(page)
    record = DecisionRecord(
        verdict=verdict,
        recommendation=page.recommendation,
        evidence=inputs,
        page_sha256=hashlib.sha256(html).hexdigest(),
    )
    log.info("reported", extra={"verdict": verdict, "recommendation": page.recommendation})
    return ReportOutputs(
        page=store.put_bytes(html),
        record=store.put_bytes(record.canonical_json()),
        verdict=verdict,
        summary=summary(page),
    )
