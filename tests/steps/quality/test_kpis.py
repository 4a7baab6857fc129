"""Numbers of the business, asked of a tiny Prometheus: each has its sentence when there is none."""

from typing import Any

import pytest
from tests.steps.quality.conftest import answering, last, looked, telling, with_prometheus

from ratchet.clients.prometheus import PrometheusAway
from ratchet.clients.world import World
from ratchet.core.errors import EXIT_TERMINAL, EXIT_TRANSIENT
from ratchet.core.quality import Kpi
from ratchet.quality.kpis import NoNumber
from ratchet.quality.run import NothingToJudge

REOPENED = Kpi(name="reopened", query='reopened{release="$release"}[$window]', better="lower", limit=0.1)


def test_a_kpi_is_asked_of_the_release_and_of_a_week_with_the_key(world: World) -> None:
    world.settings.secrets.mkdir(parents=True)
    (world.settings.secrets / "prometheus_key").write_text("a-key\n")

    with answering(telling("0.25")) as (url, asked):
        outputs = looked(with_prometheus(world, url), kpis=(REOPENED,))

    ((sent, key),) = asked
    assert (sent["query"], key) == ('reopened{release="b"}[7d]', "Bearer a-key")
    assert outputs.worse == ("KPI reopened",)
    assert last(world).kpis[0].value == 0.25


@pytest.mark.parametrize("values", [(), ("NaN",)])
def test_a_number_that_prometheus_does_not_know_is_said_to_be_none(world: World, values: tuple[str, ...]) -> None:
    with answering(telling(*values)) as (url, _):
        outputs = looked(with_prometheus(world, url), kpis=(REOPENED,))

    assert (last(world).kpis[0].value, outputs.worse) == (None, ())


def test_without_a_prometheus_no_kpi_is_asked_for_and_the_log_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NothingToJudge):
        looked(world, kpis=(REOPENED,))

    assert "names no [prometheus] url" in caplog.text


@pytest.mark.parametrize(
    ("status", "body", "error", "exit_code", "says"),
    [
        (503, {}, PrometheusAway, EXIT_TRANSIENT, "status 503"),
        (
            400,
            {"status": "error", "errorType": "bad_data", "error": "secret"},
            NoNumber,
            EXIT_TERMINAL,
            "does not take the query",
        ),
        (401, {}, NoNumber, EXIT_TERMINAL, "wants a key"),
        (200, ["ok"], PrometheusAway, EXIT_TRANSIENT, "not as Prometheus does"),
        (200, telling("1", "2")("", {})[1], NoNumber, EXIT_TERMINAL, "expected one number, got 2"),
    ],
)
def test_a_prometheus_that_gives_no_number_says_which_kpi_and_what_to_do(
    world: World, status: int, body: Any, error: type[Exception], exit_code: int, says: str
) -> None:
    with answering(lambda path, sent: (status, body)) as (url, _), pytest.raises(error, match=says) as caught:
        looked(with_prometheus(world, url), kpis=(REOPENED,))

    assert "KPI reopened" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == exit_code  # type: ignore[attr-defined]


def test_a_prometheus_that_is_down_is_asked_again_later(world: World) -> None:
    with pytest.raises(PrometheusAway, match="KPI reopened: no Prometheus answers at"):
        looked(with_prometheus(world, "http://127.0.0.1:9"), kpis=(REOPENED,))
