"""Sends messages to people, by Apprise: Slack, PagerDuty, e-mail, a webhook. Nothing here ever fails its caller."""

import logging
from typing import Literal

from ratchet.clients.settings import Settings
from ratchet.orchestration.messages import Message

Channel = Literal["approvals", "escalations", "drift", "failures"]

# Where Airflow's workers and tasks pick up what is logged; one warning a message.
log = logging.getLogger("ratchet.notify")

NUM_RETRIES = 2
RETRY_SECONDS = 2.0
# For one service, tries and waits included.
SERVICE_SECONDS = 30.0


def send(settings: Settings, channel: Channel, message: Message) -> None:
    """To every service of the channel, each tried at most three times; what reached nobody is in the log.

    The services are the Apprise URLs in a file of the secrets folder, which `[notify]` of ratchet.toml names; it is
    read at each message. An URL is a secret: neither it nor what its service answers is logged.
    """
    name = getattr(settings.notify, channel)
    if not name:
        log.warning("%s: %s (nobody was told: ratchet.toml has no [notify] %s)", *_told(message), channel)
        return
    try:
        problem = _delivered((settings.secrets / name).read_text("utf-8"), message)
    except Exception as error:  # whatever a service's plugin raises, the release goes on
        problem = f"{type(error).__name__}{f': {error.strerror}' if isinstance(error, OSError) else ''}"
    if problem:
        log.warning("%s: %s (not told to all: %s, secrets file %s)", *_told(message), problem, name)


def _told(message: Message) -> tuple[str, str]:
    return message.title, " ".join(message.body.split("\n"))


def _delivered(file: str, message: Message) -> str:
    """Why not everybody was told; empty when all were."""
    # Its table of services takes a second to load, which only a message needs.
    from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

    # It logs URLs and tokens that it does not understand, in full.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = AppriseAsset(
        app_id="Ratchet",
        default_service_retry=NUM_RETRIES,
        default_service_wait=RETRY_SECONDS,
        service_timeout=SERVICE_SECONDS,
        storage_mode="memory",
    )
    services, problems = Apprise(asset=asset), []
    for number, line in enumerate(file.splitlines(), start=1):
        url = line.strip()
        if url and not url.startswith("#") and not services.add(url):
            problems.append(f"line {number} is no Apprise URL of one service")
    if not len(services):
        return "; ".join([*problems, "it names no service: write one Apprise URL per line"])
    result = services.notify(
        title=message.title, body=message.body, notify_type=NotifyType.WARNING, body_format=NotifyFormat.TEXT
    )
    failed = [f"{of.name} ({of.status.name.lower()})" for of in result.results if of.status]
    return "; ".join([*problems, *failed])
