from ratchet.clients.prometheus import Series, Window
from ratchet.sight.dashboards.ask import Answer, Answered
from ratchet.sight.dashboards.draw import draw
from ratchet.sight.dashboards.model import Panel, Target
from ratchet.sight.dashboards.page import Page, render

DAY = Window(0.0, 86_400.0, 360.0)
EVIL = "<script>alert(1)</script>"


def page(kind: str, *answers: Answer) -> str:
    shown = Panel.model_validate(
        {"title": EVIL, "type": kind, "gridPos": {"x": 8, "y": 5, "w": 16, "h": 7}, "targets": []}
    )
    drawn = draw(Answered(shown, answers), DAY)
    return render(Page("Title", EVIL, "127.0.0.1:9090", DAY, (drawn,), {"data.html": "Data"})).decode()


def found(*points: tuple[float, float]) -> Answer:
    return Answer(Target(refId="A", expr="x", legendFormat="{{release}}"), (Series({"release": EVIL}, points),))


def test_a_panel_stands_where_grafana_would_put_it() -> None:
    assert "grid-column: 9 / span 16; grid-row: 6 / span 7" in page("stat", found((0, 1)))


def test_labels_and_problems_are_text_and_nothing_else() -> None:
    for kind in ("stat", "bargauge", "timeseries"):
        text = page(kind, found((0, 1), (360, 2)), Answer(Target(refId="B", expr="x"), problem=EVIL))

        assert EVIL not in text
        assert "&lt;script&gt;" in text


def test_a_page_fetches_nothing() -> None:
    text = page("timeseries", found((0, 1), (360, 2)))

    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_page_says_whom_it_asked_for_what_and_leads_to_the_others() -> None:
    text = page("stat", found((0, 1)))

    assert "24 h up to 1970-01-02 00:00 UTC" in text
    assert "Prometheus at 127.0.0.1:9090" in text
    assert '<a href="data.html">Data</a>' in text


def test_no_data_and_a_refused_query_are_said_in_words() -> None:
    assert "no data" in page("stat", Answer(Target(refId="A", expr="x")))
    assert "Prometheus refuses the query: bad_data" in page(
        "stat", Answer(Target(refId="A", expr="x"), problem="bad_data")
    )


def test_a_line_of_one_point_can_be_seen() -> None:
    assert "h0" in page("timeseries", found((0, 1)))
