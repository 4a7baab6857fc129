"""Messages reach a real web server by Apprise; whatever is wrong with a service is logged, and nothing else."""

import logging
from pathlib import Path

import pytest
from tests.fakes.web import web_server

from ratchet.clients.settings import NotifySettings, Settings
from ratchet.orchestration import notify
from ratchet.orchestration.messages import Message
from ratchet.orchestration.notify import send

MESSAGE = Message("support-1 waits for approval", "Answer: `ratchet approve support-1`\n{{ user }} <b>$HOME</b> \\n")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "RETRY_SECONDS", 0.01)


def settings_with(folder: Path, file: str | None, **named: str) -> Settings:
    secrets = folder / ".ratchet" / "secrets"
    secrets.mkdir(parents=True)
    if file is not None:
        (secrets / "notify-approvals").write_text(file, "utf-8")
    return Settings(root=folder, notify=NotifySettings(**(named or {"approvals": "notify-approvals"})))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "ratchet.notify"]


def test_a_message_reaches_the_service_as_it_was_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with web_server([200]) as (address, received):
        send(settings_with(tmp_path, f"# the team\n\njson://{address}/hook\n"), "approvals", MESSAGE)

    assert [(got["title"], got["message"]) for got in received] == [(MESSAGE.title, MESSAGE.body)]
    assert warnings(caplog) == []


def test_a_service_that_fails_once_is_tried_again_and_the_others_are_told_once(tmp_path: Path) -> None:
    with web_server([503, 200]) as (flaky, seen), web_server([200]) as (sound, heard):
        send(settings_with(tmp_path, f"json://{flaky}/\njson://{sound}/\n"), "approvals", MESSAGE)

    assert (len(seen), len(heard)) == (2, 1)


def test_a_service_that_stays_away_is_given_up_and_the_message_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with web_server([503]) as (address, received):
        send(settings_with(tmp_path, f"json://me:pass-word@{address}/"), "approvals", MESSAGE)

    assert len(received) == 3
    (warning,) = warnings(caplog)
    assert "support-1 waits for approval" in warning
    assert "JSON (failure)" in warning
    assert "`ratchet approve support-1`" in warning


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (None, "FileNotFoundError: No such file or directory, secrets file notify-approvals"),
        ("", "it names no service"),
        ("carrier-pigeon://pass-word@roof\n", "line 1 is no Apprise URL"),
        ("json://\n", "line 1 is no Apprise URL"),
    ],
)
def test_a_file_that_names_nobody_is_named_with_what_is_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str | None, words: str
) -> None:
    send(settings_with(tmp_path, file), "approvals", MESSAGE)

    assert words in warnings(caplog)[0]


def test_a_good_service_is_told_whatever_stands_beside_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with web_server([200]) as (address, received):
        send(settings_with(tmp_path, f"nonsense\njson://{address}/\n"), "approvals", MESSAGE)

    assert len(received) == 1
    assert "line 1 is no Apprise URL" in warnings(caplog)[0]


def test_without_a_channel_messages_go_to_the_log_on_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    send(settings_with(tmp_path, None), "escalations", MESSAGE)

    (warning,) = warnings(caplog)
    assert "`ratchet approve support-1`" in warning
    assert "ratchet.toml has no [notify] escalations" in warning
    assert "\n" not in warning


@pytest.mark.parametrize("file", ["json://me:pass-word@127.0.0.1:9/tok-en", "slack://pass-word", "x://me:pass-word@h/"])
def test_no_secret_of_a_service_is_ever_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str) -> None:
    caplog.set_level(logging.INFO)

    send(settings_with(tmp_path, file), "approvals", MESSAGE)

    assert warnings(caplog)
    assert "pass-word" not in caplog.text
    assert "tok-en" not in caplog.text
