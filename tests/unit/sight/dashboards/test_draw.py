from typing import Any

import pytest

from ratchet.clients.prometheus import Series, Window
from ratchet.sight.dashboards.ask import Answer, Answered
from ratchet.sight.dashboards.draw import draw, time_ticks
from ratchet.sight.dashboards.model import Panel, Target

HOUR = Window(0.0, 3600.0, 60.0)
DASHED = [{"matcher": {"id": "byFrameRefID", "options": "B"}, "properties": [
    {"id": "custom.lineStyle", "value": {"fill": "dash"}}]}]  # fmt: skip


def panel(kind: str, options: dict[str, Any] | None = None, overrides: Any = (), **defaults: Any) -> Panel:
    return Panel.model_validate(
        {
            **{"title": "T", "type": kind, "gridPos": {"x": 0, "y": 0, "w": 8, "h": 7}, "targets": []},
            **{"options": options or {}, "fieldConfig": {"defaults": defaults, "overrides": overrides}},
        }
    )


def answer(*series: Series, ref: str = "A", legend: str = "{{step}}", problem: str = "") -> Answer:
    return Answer(Target(refId=ref, expr="x", legendFormat=legend), series, problem)


def one(step: str, *points: tuple[float, float]) -> Series:
    return Series({"step": step}, points)


def tiles(drawn_as: Panel, *series: Series, legend: str = "{{step}}") -> list[tuple[str, str, str]]:
    drawn = draw(Answered(drawn_as, (answer(*series, legend=legend),)), HOUR)
    return [(tile.name, tile.text, tile.colour) for tile in drawn.tiles]


def test_a_single_number_stands_without_its_name_and_several_have_theirs() -> None:
    shown = panel("stat", unit="s")

    assert tiles(shown, one("gate", (0, 90))) == [("", "90 s", "text")]
    assert tiles(shown, one("gate", (0, 90)), one("stage", (0, 2))) == [
        ("gate", "90 s", "text"),
        ("stage", "2 s", "text"),
    ]


def test_a_panel_of_names_shows_no_numbers_and_gives_some_of_them_a_colour() -> None:
    red = {"matcher": {"id": "byRegexp", "options": "/^FAIL$/"}, "properties": [
        {"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}}]}  # fmt: skip

    shown = panel("stat", {"textMode": "name"}, [red])

    assert tiles(shown, one("FAIL", (0, 1)), one("PASS", (0, 1))) == [("", "FAIL", "red"), ("", "PASS", "text")]


@pytest.mark.parametrize(("value", "told"), [(0, ("no", "red")), (1, ("yes", "green")), (2, ("2", "text"))])
def test_a_mapped_number_is_told_by_its_word(value: float, told: tuple[str, str]) -> None:
    words = {"0": {"text": "no", "color": "red"}, "1": {"text": "yes", "color": "green"}}

    assert tiles(panel("stat", mappings=[{"type": "value", "options": words}]), one("a", (0, value))) == [("", *told)]


@pytest.mark.parametrize(("value", "colour"), [(4, "text"), (5, "orange"), (10, "red")])
def test_a_number_has_the_colour_of_the_threshold_that_it_reached(value: float, colour: str) -> None:
    steps = [{"color": "text", "value": None}, {"color": "orange", "value": 5}, {"color": "red", "value": 10}]

    ((_, _, told),) = tiles(panel("stat", thresholds={"steps": steps}), one("a", (0, value)))

    assert told == colour


def test_a_legend_is_filled_in_with_labels_and_without_a_legend_all_are_told() -> None:
    both = Series({"step": "gate", "code": "BUG"}, ((0, 1.0),))
    named = panel("stat", {"textMode": "name"})

    assert tiles(named, both, legend="{{ step }}: {{code}}{{other}}") == [("", "gate: BUG", "text")]
    assert tiles(named, both, legend="") == [("", "code=BUG, step=gate", "text")]


def test_bars_are_as_long_as_their_numbers() -> None:
    drawn = draw(
        Answered(panel("bargauge", unit="s"), (answer(one("a", (0, 8)), one("b", (0, 2)), one("c", (0, 0))),)), HOUR
    )

    assert [(bar.name, bar.text, bar.share) for bar in drawn.bars] == [
        *(("a", "8 s", 1.0), ("b", "2 s", 0.25), ("c", "0 s", 0.0)),
    ]


def test_a_line_is_drawn_on_the_axes_and_says_its_value_now() -> None:
    seen = Window(0.0, 120.0, 60.0)
    drawn = draw(Answered(panel("timeseries"), (answer(one("a", (0, 0), (60, 4), (120, 2))),)), seen)

    assert drawn.chart
    (line,) = drawn.chart.lines
    assert line.runs == (((0.0, 1.0), (0.5, 0.0), (1.0, 0.5)),)
    assert (line.name, line.text) == ("a", "2")
    assert [(tick.place, tick.text) for tick in drawn.chart.up] == [
        (1.0, "0"),
        (0.75, "1"),
        (0.5, "2"),
        (0.25, "3"),
        (0.0, "4"),
    ]


def test_a_line_ends_where_a_look_found_nothing() -> None:
    drawn = draw(Answered(panel("timeseries"), (answer(one("a", (0, 1), (60, 1), (300, 1))),)), HOUR)

    assert drawn.chart
    assert [len(run) for run in drawn.chart.lines[0].runs] == [2, 1]


def test_a_line_that_ended_says_when_and_no_number_that_could_be_taken_for_todays() -> None:
    drawn = draw(Answered(panel("timeseries"), (answer(one("a", (0, 1), (60, 7))),)), HOUR)

    assert drawn.chart
    assert drawn.chart.lines[0].text == "until 01 Jan 00:01"


def test_numbers_below_nought_have_room() -> None:
    drawn = draw(Answered(panel("timeseries"), (answer(one("a", (0, -3), (60, 1))),)), HOUR)

    assert drawn.chart
    assert all(0 <= y <= 1 for line in drawn.chart.lines for run in line.runs for _, y in run)
    assert drawn.chart.up[0].text == "−3"


def test_a_limit_is_dashed_and_has_the_colour_of_what_it_limits() -> None:
    found = [one("a", (0, 1)), one("b", (0, 2))]
    drawn = draw(Answered(panel("timeseries", overrides=DASHED), (answer(*found), answer(*found, ref="B"))), HOUR)

    assert drawn.chart
    assert [(line.colour, line.is_limit) for line in drawn.chart.lines] == [
        (0, False),
        (1, False),
        (0, True),
        (1, True),
    ]


def test_a_limit_alone_is_no_data() -> None:
    drawn = draw(Answered(panel("timeseries", overrides=DASHED), (answer(), answer(one("a", (0, 1)), ref="B"))), HOUR)

    assert (drawn.nothing, drawn.chart) == ("no data", None)


def test_lines_of_two_queries_have_different_colours() -> None:
    drawn = draw(Answered(panel("timeseries"), (answer(one("a", (0, 1))), answer(one("b", (0, 1)), ref="B"))), HOUR)

    assert drawn.chart
    assert [line.colour for line in drawn.chart.lines] == [0, 1]


def test_more_lines_than_colours_can_be_told_apart() -> None:
    drawn = draw(Answered(panel("timeseries"), (answer(*(one(f"{n:02}", (0, 1)) for n in range(10))),)), HOUR)

    assert drawn.chart
    assert len({(line.colour, line.is_repeated) for line in drawn.chart.lines}) == 10


def test_what_was_nought_all_the_time_is_named_and_not_drawn() -> None:
    drawn = draw(Answered(panel("timeseries"), (answer(one("a", (0, 0), (60, 0)), one("b", (0, 0), (60, 1))),)), HOUR)

    assert drawn.chart
    assert (drawn.chart.zeros, [line.name for line in drawn.chart.lines]) == (("a",), ["b"])


def test_nothing_is_said_in_words_and_in_the_panels_own_where_it_has_some() -> None:
    assert draw(Answered(panel("stat"), (answer(),)), HOUR).nothing == "no data"
    assert draw(Answered(panel("stat", noValue="nobody is asked"), (answer(),)), HOUR).nothing == "nobody is asked"


def test_a_refused_query_is_told_and_what_others_found_is_drawn() -> None:
    answers = (answer(one("a", (0, 1))), answer(ref="B", problem="bad_data"))
    drawn = draw(Answered(panel("stat"), answers), HOUR)

    assert (drawn.problems, len(drawn.tiles)) == (("bad_data",), 1)


def test_a_panel_whose_only_query_is_refused_does_not_say_that_there_is_no_data() -> None:
    drawn = draw(Answered(panel("stat"), (answer(problem="bad_data"),)), HOUR)

    assert (drawn.nothing, drawn.problems) == ("", ("bad_data",))


@pytest.mark.parametrize(
    ("hours", "texts"),
    [
        (0.1, ["00:02", "00:04", "00:06"]),
        (1, ["00:15", "00:30", "00:45", "01:00"]),
        (24, ["06:00", "12:00", "18:00", "02 Jan"]),
        (14 * 24, ["04 Jan", "07 Jan", "10 Jan", "13 Jan"]),
        (365 * 24, ["02 Apr", "02 Jul", "01 Oct", "31 Dec"]),
    ],
)
def test_the_time_axis_has_round_hours_or_days(hours: float, texts: list[str]) -> None:
    begin = 60.0  # a minute after midnight
    marks = time_ticks(Window(begin, begin + hours * 3600, 60.0))

    assert [mark.text for mark in marks] == texts
    assert all(0 <= mark.place <= 1 for mark in marks)
