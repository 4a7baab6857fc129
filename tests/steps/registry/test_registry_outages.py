"""What a tracking server answers when it is ill, and what becomes of it."""

import json
import time

import pytest
from tests.fakes.events import RELEASED
from tests.fakes.web import Answering, listening

from ratchet.clients.registry import MlflowRegistry, RegistryRefused, RegistryUnavailable, follow_ledger

pytest.importorskip("mlflow", reason="MLflow lives in the ops environment")
_MAX_OUTAGE_SECONDS = 20


def test_a_server_that_is_gone_is_noticed_in_seconds_and_blocks_nothing() -> None:
    registry = MlflowRegistry("http://127.0.0.1:9")
    started = time.monotonic()

    with pytest.raises(RegistryUnavailable, match=r"cannot read the aliases of support at http://127.0.0.1:9"):
        registry.aliases("support")

    assert time.monotonic() - started < _MAX_OUTAGE_SECONDS
    assert not follow_ledger(registry, "support", RELEASED)


def _answering(status: int, content: bytes) -> type[Answering]:
    class Handler(Answering):
        def _answer(self) -> None:
            self.answer(status, content)

        do_GET = do_POST = _answer

    return Handler


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, b"", RegistryUnavailable),
        (500, b"", RegistryUnavailable),
        (502, b"<html>bad gateway</html>", RegistryUnavailable),
        (429, b"", RegistryUnavailable),
        (200, b"<html>another service on this port</html>", RegistryUnavailable),
        (403, json.dumps({"error_code": "PERMISSION_DENIED", "message": "no"}).encode(), RegistryRefused),
        (400, json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}).encode(), RegistryRefused),
    ],
)
def test_a_server_that_is_ill_is_told_from_one_that_says_no(status: int, body: bytes, kind: type[Exception]) -> None:
    with listening(_answering(status, body)) as port, pytest.raises(kind):
        MlflowRegistry(f"http://127.0.0.1:{port}").aliases("support")
