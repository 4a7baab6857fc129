"""`ratchet dashboards`, with a real Prometheus that remembers half an invented day, looked at in a real browser."""

import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from rich.console import Console
from tests.browser import chromium, needs_browser
from tests.fakes.fortnight import slow
from tests.history import fortnight, remembering

from ratchet.cli.dashboards import write_all
from ratchet.cli.parser import parser
from ratchet.clients.prometheus import PrometheusAway
from ratchet.clients.settings import Settings
from ratchet.core.errors import TerminalError

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.timeout(300)  # the first test waits for the history
NAMES = ("pipeline", "serving", "data", "quality", "cost")
# What of a page sticks out of its panel or of the window, and which panels or texts of an axis lie over each other.
CLASHES = """() => {
  const box = e => e.getBoundingClientRect();
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const said = e => (e.closest('section')?.querySelector('h2').innerText ?? '') + ': ' + e.innerText;
  const found = [];
  if (document.documentElement.scrollWidth > window.innerWidth) found.push('wider than the window');
  const panels = [...document.querySelectorAll('section')];
  for (const panel of panels) {
    const outer = box(panel);
    for (const e of panel.querySelectorAll('*:not(title)')) {
      const r = box(e);
      const isOut = r.left < outer.left - 1 || r.right > outer.right + 1 || r.bottom > outer.bottom + 1;
      if (isOut) found.push('out: ' + said(e));
    }
  }
  const apart = elements => elements.forEach((a, i) => elements.slice(i + 1).forEach(
    b => over(box(a), box(b)) && found.push('over: ' + said(a) + ' / ' + said(b))));
  apart(panels);
  for (const panel of panels) {
    apart([...panel.querySelectorAll('.up')]);
    apart([...panel.querySelectorAll('.across')]);
    apart([...panel.children]);
  }
  return found;
}"""


@dataclass(frozen=True)
class Place:
    settings: Settings
    prometheus: str

    def draw(self, *arguments: str, line: str = "support") -> str:
        console = Console(record=True, width=200)
        write_all(self.settings, line, options("--prometheus", self.prometheus, *arguments), console)
        return console.export_text()


def options(*arguments: str) -> Namespace:
    return parser().parse_args(["dashboards", *arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, now = tmp_path_factory.mktemp("history"), datetime.now(UTC)
    with remembering(folder, fortnight(now, timedelta(hours=12))) as url:
        yield Place(Settings(root=ROOT, state_dir=folder / "state"), url)


@pytest.fixture(scope="module")
def pages(place: Place) -> dict[str, Path]:
    place.draw("--hours", "11")
    return {name: place.settings.state / "dashboards" / f"{name}.html" for name in NAMES}


@pytest.fixture(scope="module")
def long_pages(place: Place) -> dict[str, Path]:
    """Of a fortnight, most of which nobody remembers."""
    folder = place.settings.state / "long"
    place.draw("--hours", "336", "--out", str(folder))
    return {name: folder / f"{name}.html" for name in NAMES}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(offline=True)
    page = context.new_page()
    yield page
    context.close()


@needs_browser
@pytest.mark.parametrize("width", [1280, 1160, 400])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_clipped_or_lies_over_something_else(
    pages: dict[str, Path], long_pages: dict[str, Path], page: Page, name: str, width: int
) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("requestfailed", lambda request: problems.append(request.url))
    page.set_viewport_size({"width": width, "height": 800})

    for drawn in (pages, long_pages):
        page.goto(drawn[name].as_uri())

        assert page.evaluate(CLASHES) == []
    assert problems == []


@needs_browser
@pytest.mark.parametrize("name", NAMES)
def test_every_panel_of_grafanas_file_is_there_and_shows_data(pages: dict[str, Path], page: Page, name: str) -> None:
    titles = [
        panel["title"]
        for panel in json.loads((ROOT / "helm" / "serving" / "dashboards" / f"{name}.json").read_text("utf-8"))[
            "panels"
        ]
    ]

    page.goto(pages[name].as_uri())

    assert page.locator("section h2").all_inner_texts() == titles
    assert page.locator(".nothing, .problem").all_inner_texts() == []
    shown = page.locator("section").filter(has=page.locator(".plot g path, .bar, .tiles li"))
    assert shown.count() == len(titles)


@needs_browser
@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_a_page_is_as_light_or_dark_as_the_reader_likes(
    pages: dict[str, Path], page: Page, scheme: Any, is_dark: bool
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(pages["serving"].as_uri())

    red = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0])")
    assert (red < 128) == is_dark


@needs_browser
def test_what_happened_can_be_read(pages: dict[str, Path], page: Page) -> None:
    page.goto(pages["pipeline"].as_uri())

    texts = {
        section.locator("h2").inner_text(): " ".join(section.inner_text().split())
        for section in page.locator("section").all()
    }
    assert texts["In production"].endswith("release-3")
    assert "release_support: running" in texts["Newest runs"]
    assert texts["Gate: verdict of the newest candidate"].endswith("PASS")
    assert "0 all the time: drill_support" in texts["Runs that failed in a row"]
    assert "stage SERVE_NOT_READY 1" in texts["Attempts that failed, per day"]


def test_when_the_edge_and_the_engines_tell_nothing_no_panel_claims_that_nothing_fails(tmp_path: Path) -> None:
    at = datetime.now(UTC) - timedelta(minutes=2)  # a page's last moment is a little before it is asked for
    with remembering(tmp_path, [(at, slow(at, at))]) as url:
        text = Place(Settings(root=ROOT, state_dir=tmp_path), url).draw("--hours", "1")

    missing = text.split("no data: ")[1]
    assert {"Share that fails (serving)", "First token: slowest 5 % (serving)", "Requests (serving)"} <= set(
        missing.strip().split(", ")
    )
    assert "Waiting for approval" not in missing


def test_a_line_that_prometheus_does_not_know_is_told_with_what_to_look_at(place: Place) -> None:
    with pytest.raises(TerminalError, match=r"no metrics of line 'other'.* /targets"):
        place.draw("--hours", "1", line="other")


def test_a_query_that_prometheus_refuses_is_told_by_its_panel_and_at_the_end(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "helm" / "serving" / "dashboards"
    folder.mkdir(parents=True)
    (folder / "cost.json").write_text(
        (ROOT / "helm" / "serving" / "dashboards" / "cost.json").read_text("utf-8").replace("increase(", "increased(")
    )
    broken = Place(Settings(root=tmp_path, state_dir=tmp_path), place.prometheus)

    with pytest.raises(TerminalError, match=r'refuses 1 of the queries.*unknown function with name "increased"'):
        broken.draw("--hours", "1", "--out", str(tmp_path))

    page = (tmp_path / "cost.html").read_text("utf-8")
    assert "Prometheus refuses the query" in page
    assert "finetune" in page


def test_without_a_prometheus_no_page_is_written(tmp_path: Path) -> None:
    with pytest.raises(PrometheusAway, match=r"127\.0\.0\.1:1 "):
        Place(Settings(root=ROOT, state_dir=tmp_path), "http://127.0.0.1:1").draw()

    assert not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "soon", "9000"])
def test_hours_are_more_than_none_and_at_most_a_year(hours: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--hours", hours)

    assert "expected hours, more than 0 and at most a year" in capsys.readouterr().err
