import time
from itertools import cycle
from typing import Any

import pytest
from tests.fakes.events import model, sha
from tests.fakes.openai import Served
from tests.fakes.releases import ANY_LATENCY
from tests.fakes.serving_world import ServingWorld
from tests.steps.stage.conftest import assert_blue_serves_as_before, inputs

from ratchet.clients.openai import EngineAway, NotANumber, RequestRefused
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.stage.contract import StageSettings
from ratchet.stage.ready import EngineDied, EngineOutOfMemory, NotReady, Speechless
from ratchet.stage.run import run


def test_a_good_candidate_is_loaded_without_users(place: ServingWorld) -> None:
    outputs = run(inputs(place), place.world)

    assert (outputs.colour, outputs.verdict) == ("green", "PASS")
    assert [check.name for check in outputs.checks] == ["golden prompts", "failed requests", "answer latency"]
    assert outputs.checks[0].num_samples == 12
    assert place.engine.loaded("green") is not None
    assert_blue_serves_as_before(place)


def test_staging_again_starts_nothing_anew(place: ServingWorld) -> None:
    for _ in range(2):
        run(inputs(place), place.world)

    assert place.engine.num_starts == 1


def test_both_colours_stream_equally_many_answers(place: ServingWorld) -> None:
    outputs = run(inputs(place), place.world)

    assert outputs.preview.num_requests == outputs.active.num_requests == 6
    assert place.blue.num_asked == 7  # with the pair that opens the connections


def test_what_the_probe_saw_of_both_is_told(place: ServingWorld) -> None:
    for engine in (place.blue, place.green):
        engine.streams.piece_seconds = 0.01

    outputs = run(inputs(place), place.world)

    for seen in (outputs.preview, outputs.active):
        assert (seen.num_tokens, seen.tokens_counted_by, seen.num_failed) == (24, "usage", 0)
        assert 10 <= (seen.ttft_ms.p50 or 0.0) < (seen.answer_ms.p50 or 0.0)
        assert 10 <= (seen.inter_token_ms.p50 or 0.0) < 100
        assert 0 < seen.tokens_per_second < 100
    assert outputs.preview_latency_ms == outputs.preview.answer_ms.p50
    assert outputs.active_latency_ms == outputs.active.answer_ms.p50


def test_asking_ends_at_the_look_that_settles_it(place: ServingWorld) -> None:
    settings = StageSettings(ready_timeout_seconds=1, max_latency_ratio=ANY_LATENCY)

    outputs = run(inputs(place, settings=settings), place.world)

    assert outputs.verdict == "PASS"
    assert outputs.preview.num_requests == 30


@pytest.mark.parametrize("text", ["refund", ""])
def test_other_answers_than_evaluated_fail_and_unload(place: ServingWorld, text: str) -> None:
    for number in range(3, 12):
        place.green.answers[f"Label: {number}"] = text

    outputs = run(inputs(place), place.world)

    assert outputs.verdict == outputs.checks[0].verdict == "FAIL"
    assert place.engine.loaded("green") is None
    assert_blue_serves_as_before(place)


def test_a_slow_candidate_fails_and_is_unloaded(place: ServingWorld) -> None:
    place.green.delay_seconds = 0.2
    settings = StageSettings(ready_timeout_seconds=1, num_latency_probes=6, max_latency_ratio=2.0)

    outputs = run(inputs(place, settings=settings), place.world)

    assert outputs.verdict == outputs.checks[2].verdict == "FAIL"
    assert place.engine.loaded("green") is None
    assert_blue_serves_as_before(place)


@pytest.mark.parametrize("limit", ["max_ttft_ratio", "max_inter_token_ratio"])
def test_a_limit_of_the_first_token_or_between_tokens_says_no_too(place: ServingWorld, limit: str) -> None:
    if limit == "max_ttft_ratio":
        place.green.delay_seconds = 0.05
    else:
        place.green.streams.piece_seconds = 0.05
    settings = StageSettings(
        ready_timeout_seconds=1, num_latency_probes=6, max_latency_ratio=ANY_LATENCY, **{limit: 2.0}
    )

    outputs = run(inputs(place, settings=settings), place.world)

    assert [check.verdict for check in outputs.checks[2:]] == ["PASS", "FAIL"]
    assert outputs.verdict == "FAIL"


def _in_turn_slow(engine: Served, is_slow: bool) -> None:
    """Every other stream takes 50 ms longer."""
    slow, reply = cycle([is_slow, not is_slow]), engine.reply

    def replying(path: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if asked.get("stream") and next(slow):
            time.sleep(0.05)
        return reply(path, asked)

    engine.reply = replying  # type: ignore[method-assign]


def test_what_the_pairs_cannot_tell_stays_loaded_and_open(place: ServingWorld) -> None:
    _in_turn_slow(place.green, is_slow=True)
    _in_turn_slow(place.blue, is_slow=False)
    settings = StageSettings(ready_timeout_seconds=1, num_latency_probes=6, max_latency_ratio=1.5)

    outputs = run(inputs(place, settings=settings), place.world)

    assert outputs.verdict == outputs.checks[2].verdict == "INCONCLUSIVE"
    assert place.engine.loaded("green") is not None


@pytest.mark.parametrize("ending", ["cut", "error", "garbage", "unfinished"])
def test_a_single_request_that_the_preview_fails_fails_the_stage(place: ServingWorld, ending: Any) -> None:
    place.green.streams.ending = ending

    outputs = run(inputs(place), place.world)

    assert (outputs.verdict, outputs.checks[-1].name) == ("FAIL", "failed requests")
    assert outputs.checks[-1].reason.startswith("1 of 1 streamed requests on preview failed; http")
    assert place.engine.loaded("green") is None
    assert_blue_serves_as_before(place)


def test_a_production_that_fails_is_no_verdict_on_the_candidate(place: ServingWorld) -> None:
    place.blue.streams.ending = "error"

    with pytest.raises(EngineAway, match="EngineCore stopped"):
        run(inputs(place), place.world)


def _nan(place: ServingWorld) -> None:
    place.green.has_nan = True


def _silent(place: ServingWorld) -> None:
    place.green.answers, place.green.otherwise = {}, ""


def _other_model(place: ServingWorld) -> None:
    place.green.models = {"support", "c", sha("c")}


def _broken(place: ServingWorld) -> None:
    place.green.status = 500


def _died(place: ServingWorld) -> None:
    place.engine.urls.pop("green")
    place.engine.failure = lambda colour: "vllm-green ended: out of memory"  # type: ignore[method-assign]


def _active_away(place: ServingWorld) -> None:
    place.engine.urls.pop("blue")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_nan, NotANumber),
        (_silent, Speechless),
        (_other_model, RequestRefused),
        (_broken, NotReady),
        (_died, EngineDied),
        (_active_away, EngineAway),
    ],
)
def test_whatever_goes_wrong_the_candidate_is_unloaded(place: ServingWorld, spoil: Any, error: type[Exception]) -> None:
    spoil(place)

    with pytest.raises(error):
        run(inputs(place), place.world)

    assert place.engine.loaded("green") is None
    assert_blue_serves_as_before(place)


def test_a_process_that_died_is_told_with_its_last_words(place: ServingWorld) -> None:
    _died(place)

    with pytest.raises(EngineOutOfMemory, match="out of memory"):
        run(inputs(place), place.world)


def test_told_to_stop_it_leaves_nothing_loaded(place: ServingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr("ratchet.stage.run.wait_ready", interrupted)

    with pytest.raises(KeyboardInterrupt):
        run(inputs(place), place.world)

    assert place.engine.loaded("green") is None


def test_what_has_the_users_already_is_not_staged(place: ServingWorld) -> None:
    with pytest.raises(NothingToDo, match="blue serves exactly this model"):
        run(inputs(place, model=model("a"), candidate_report=place.report("a")), place.world)

    assert place.engine.num_starts == 0


def test_another_lines_model_is_refused(place: ServingWorld) -> None:
    with pytest.raises(TerminalError, match="not 'banking'"):
        run(inputs(place, line="banking"), place.world)


def test_a_report_about_another_model_is_refused(place: ServingWorld) -> None:
    with pytest.raises(TerminalError, match="evaluation report is about model"):
        run(inputs(place, candidate_report=place.report("c")), place.world)

    assert place.engine.num_starts == 0


def test_without_a_production_there_is_no_preview(place: ServingWorld) -> None:
    place.router.state = None

    with pytest.raises(TerminalError, match="ratchet up"):
        run(inputs(place), place.world)
