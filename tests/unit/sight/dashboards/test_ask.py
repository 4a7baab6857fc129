import pytest

from ratchet.clients.prometheus import QueryRefused, Series, Window
from ratchet.sight.dashboards.ask import ask, filled_in, window
from ratchet.sight.dashboards.model import Dashboard


class Asked:
    """A Prometheus that keeps what it was asked and refuses what is called bad."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, object]] = []

    def at(self, query: str, moment: float) -> tuple[Series, ...]:
        return self._told(query, moment)

    def over(self, query: str, window: Window) -> tuple[Series, ...]:
        return self._told(query, window)

    def _told(self, query: str, when: object) -> tuple[Series, ...]:
        self.queries.append((query, when))
        if query.startswith("bad"):
            raise QueryRefused("bad_data: no")
        return (Series({}, ((0.0, 1.0),)),)


def dashboard(*panels: tuple[str, str]) -> Dashboard:
    made = [
        {
            "title": expr,
            "type": kind,
            "gridPos": {"x": 0, "y": 0, "w": 1, "h": 1},
            "targets": [{"refId": "A", "expr": expr}],
        }
        for kind, expr in panels
    ]
    return Dashboard.model_validate({"title": "D", "time": {"from": "now-1h"}, "panels": made})


def test_lines_are_asked_over_the_window_and_numbers_at_its_end() -> None:
    prometheus, seen = Asked(), window(end=7200.0, hours=1)

    ask(prometheus, dashboard(("timeseries", 'a{line="$line"}'), ("stat", "b")), "support", seen)  # type: ignore[arg-type]

    assert prometheus.queries == [('a{line="support"}', Window(3600.0, 7200.0, 15.0)), ("b", 7200.0)]


def test_a_query_that_is_refused_keeps_no_other_from_being_asked() -> None:
    bad, good = ask(Asked(), dashboard(("stat", "bad"), ("stat", "b")), "support", window(0.0, 1))  # type: ignore[arg-type]

    assert bad.problems == ("bad_data: no (in bad)",)
    assert good.problems == ()
    assert not good.is_empty


def test_a_name_cannot_leave_the_quotes_that_it_stands_in() -> None:
    assert filled_in('a{line="$line"}', {"line": 'x"} or b{c="'}) == 'a{line="x\\"} or b{c=\\""}'


@pytest.mark.parametrize(("hours", "step"), [(0.1, 15.0), (24, 360.0)])
def test_a_window_has_no_more_looks_than_a_panel_can_show(hours: float, step: float) -> None:
    assert window(0.0, hours).step_seconds == step
