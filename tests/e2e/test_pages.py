"""The pages that people look at, in a real browser."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser import chromium, needs_browser
from tests.e2e.conftest import Platform

pytestmark = [pytest.mark.timeout(2700), needs_browser]  # the first test of a session waits for the demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    yield page
    page.close()


def test_the_decision_report_shows_the_checks_and_needs_no_script_and_no_network(
    platform: Platform, demo: object, browser: Browser
) -> None:
    (report,) = (platform.settings.state / "reports").glob("*.html")
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("requestfailed", lambda request: problems.append(request.url))

    page.goto(report.as_uri())

    for name in ("intents are useful", "intents are better", "intents are no worse", "sums are not forgotten"):
        expect(page.get_by_text(name).first).to_be_visible()
    assert page.locator("svg").count() >= 1
    assert not problems
    context.close()


def test_airflow_shows_the_release_to_who_signs_in(platform: Platform, demo: object, page: Page) -> None:
    url = f"http://127.0.0.1:{platform.settings.ports.airflow}"
    passwords = json.loads((platform.settings.secrets / "airflow_passwords.json").read_text("utf-8"))

    page.goto(url)
    page.locator("input[name=username]").fill("engineer")
    page.locator("input[name=password]").fill(passwords["engineer"])
    page.locator("button[type=submit], input[type=submit]").first.click()
    page.wait_for_url(lambda found: "/auth/" not in found)  # its own way on would cut ours short
    page.goto(f"{url}/dags/release_support")

    expect(page.get_by_text("release_support").first).to_be_visible()
    expect(page.get_by_text("finetune").first).to_be_visible()


def test_mlflow_shows_the_training_and_which_model_is_in_production(
    platform: Platform, demo: object, page: Page
) -> None:
    page.goto(f"{platform.settings.mlflow_url}/#/experiments")
    expect(page.get_by_role("link", name="support", exact=True).first).to_be_visible()

    page.goto(f"{platform.settings.mlflow_url}/#/models/support")
    expect(page.get_by_text("@ production").first).to_be_visible()
