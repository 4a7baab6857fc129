"""What S3 answers when it is ill, and what becomes of it."""

from pathlib import Path

import pytest
from tests.fakes.planted import AWS_KEY, EMAIL, leaks, leaks_in
from tests.fakes.web import Answering, listening

from ratchet.__main__ import main as step
from ratchet.clients.bucket import StoreAway
from ratchet.clients.s3 import CredentialsExpired, S3Bucket, StoreRefused
from ratchet.clients.settings import CONFIG_VARIABLE, OVERRIDES, SECRETS_VARIABLE, StoreSettings
from ratchet.core.errors import EXIT_TERMINAL
from ratchet.resolve.contract import ResolveInputs

pytest.importorskip("boto3")
ROOT = Path(__file__).parents[3]
ANYTHING = ResolveInputs(line="support", dataset="support", base="tiny", recipe_sha256="0" * 64, min_new_examples=1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # botocore's back-off between attempts


def test_a_service_that_is_away_is_transient(s3_secrets: Path, tmp_path: Path) -> None:
    bucket = S3Bucket(StoreSettings(kind="s3", bucket="b", endpoint_url="http://127.0.0.1:9"), s3_secrets)

    with pytest.raises(StoreAway, match="the service is away, run again") as caught:
        bucket.fetch("key", tmp_path / "fetched")

    assert caught.value.exit_code == 75


class Failing(Answering):
    """Answers everything with the status and body that the test has chosen."""

    status = 200
    content = b""
    announced_bytes = 0

    def do_GET(self) -> None:
        self.answer(self.status, self.content, {"Content-Length": str(self.announced_bytes or len(self.content))})

    def do_HEAD(self) -> None:
        self.answer(200, headers={"Content-Length": str(self.announced_bytes or len(self.content))})


def _xml(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "SlowDown", StoreAway),
        (500, "InternalError", StoreAway),
        (429, "TooManyRequestsException", StoreAway),
        (400, "RequestTimeout", StoreAway),
        (400, "ExpiredToken", CredentialsExpired),
        (403, "AccessDenied", StoreRefused),
        (403, "SignatureDoesNotMatch", StoreRefused),
        (400, "InvalidRequest", StoreRefused),
    ],
)
def test_refusals_that_pass_are_told_from_those_that_stay(s3_secrets: Path, status: int, code: str, kind: type) -> None:
    handler = type("Handler", (Failing,), {"status": status, "content": _xml(code)})
    with listening(handler) as port:
        bucket = S3Bucket(StoreSettings(kind="s3", bucket="b", endpoint_url=f"http://127.0.0.1:{port}"), s3_secrets)

        with pytest.raises(kind, match=code):
            list(bucket.keys("x"))


def test_a_step_whose_credentials_are_refused_tells_none_of_them(
    s3_secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (s3_secrets / "s3_access_key_id").write_text(AWS_KEY)
    (s3_secrets / "s3_secret_access_key").write_text(EMAIL)
    told_back = f"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>{AWS_KEY}</AWSAccessKeyId>"
    handler = type("Handler", (Failing,), {"status": 403, "content": f"{told_back}</Error>".encode()})
    with listening(handler) as port:
        store = f'[store]\nkind = "s3"\nbucket = "b"\nendpoint_url = "http://127.0.0.1:{port}"\n'
        (tmp_path / "ratchet.toml").write_text(store)
        monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "ratchet.toml"))
        monkeypatch.setenv(OVERRIDES["root"], str(ROOT))
        monkeypatch.setenv(OVERRIDES["state_dir"], str(tmp_path / "state"))
        monkeypatch.setenv(SECRETS_VARIABLE, str(s3_secrets))
        exit_code = step(["resolve", ANYTHING.model_dump_json()])

    said = capsys.readouterr().err
    assert (exit_code, '"code": "STORE_REFUSED"' in said) == (EXIT_TERMINAL, True)
    assert leaks(said) == []
    assert leaks_in(tmp_path / "state") == {}


def test_half_an_object_is_a_transient_failure_and_leaves_no_file(s3_secrets: Path, tmp_path: Path) -> None:
    handler = type("Handler", (Failing,), {"content": b"half", "announced_bytes": 8})
    with listening(handler) as port:
        bucket = S3Bucket(StoreSettings(kind="s3", bucket="b", endpoint_url=f"http://127.0.0.1:{port}"), s3_secrets)

        with pytest.raises(StoreAway, match="run again"):
            bucket.fetch("key", tmp_path / "fetched")

    assert not (tmp_path / "fetched").exists()
