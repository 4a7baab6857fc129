"""One list of promises for every bucket, kept by the local directory and by S3 (moto's real HTTP server)."""

from pathlib import Path
from typing import Any

import pytest
from tests.fakes.threads import at_once

from ratchet.clients.bucket import Bucket, LocalBucket
from ratchet.clients.s3 import S3Bucket, StoreRefused
from ratchet.clients.settings import StoreSettings
from ratchet.clients.store import Store
from ratchet.core.errors import TerminalError

boto3 = pytest.importorskip("boto3")

MIB = 1 << 20


@pytest.fixture
def s3(s3_url: str, s3_secrets: Path, request: pytest.FixtureRequest) -> S3Bucket:
    name = f"bucket-{abs(hash(request.node.nodeid))}"
    _client(s3_url).create_bucket(Bucket=name)
    settings = StoreSettings(kind="s3", bucket=name, prefix="team/ratchet", endpoint_url=s3_url)
    return S3Bucket(settings, s3_secrets, part_bytes=5 * MIB)


@pytest.fixture(params=["local", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    if request.param == "local":
        return LocalBucket(tmp_path / "store")
    s3: Bucket = request.getfixturevalue("s3")
    return s3


def _client(url: str) -> Any:
    return boto3.client("s3", endpoint_url=url, aws_access_key_id="key", aws_secret_access_key="secret")


def _file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / f"source-{len(content)}-{content[:8].hex()}"
    path.write_bytes(content)
    return path


def _content(bucket: Bucket, key: str, tmp_path: Path) -> bytes:
    bucket.fetch(key, tmp_path / "fetched")
    return (tmp_path / "fetched").read_bytes()


# what every bucket promises


@pytest.mark.parametrize("content", [b"", b"content"])
def test_what_is_created_can_be_fetched(bucket: Bucket, tmp_path: Path, content: bytes) -> None:
    assert bucket.create("a/b.json", _file(tmp_path, content))
    assert bucket.exists("a/b.json")
    assert _content(bucket, "a/b.json", tmp_path) == content


def test_a_key_is_created_once_and_keeps_its_first_content(bucket: Bucket, tmp_path: Path) -> None:
    bucket.create("key", _file(tmp_path, b"first"))

    assert not bucket.create("key", _file(tmp_path, b"second"))
    assert _content(bucket, "key", tmp_path) == b"first"


def test_of_many_writers_at_once_exactly_one_wins(bucket: Bucket, tmp_path: Path) -> None:
    sources = [_file(tmp_path, f"writer {number}".encode() * 1000) for number in range(8)]

    won = at_once(8, lambda number: bucket.create("contested", sources[number]))

    assert sorted(won) == [False] * 7 + [True]
    assert _content(bucket, "contested", tmp_path) == sources[won.index(True)].read_bytes()


def test_a_key_that_is_not_there_is_a_key_error(bucket: Bucket, tmp_path: Path) -> None:
    assert not bucket.exists("missing")
    with pytest.raises(KeyError, match="missing"):
        bucket.fetch("missing", tmp_path / "fetched")


def test_keys_are_listed_by_prefix_in_order(bucket: Bucket, tmp_path: Path) -> None:
    source = _file(tmp_path, b"x")
    for key in ("ledger/b/2", "ledger/a/10", "ledger/a/1", "ledger/ab/1", "other"):
        bucket.create(key, source)

    assert list(bucket.keys("ledger/a/")) == ["ledger/a/1", "ledger/a/10"]
    assert list(bucket.keys("ledger/a")) == ["ledger/a/1", "ledger/a/10", "ledger/ab/1"]
    assert list(bucket.keys("none/")) == []


def test_a_store_works_on_it(bucket: Bucket, tmp_path: Path) -> None:
    store = Store(bucket, tmp_path / "scratch")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "file").write_bytes(b"content")

    folder = store.put_folder(tmp_path / "in")

    assert (store.fetch_folder(folder, tmp_path / "out") / "deep" / "file").read_bytes() == b"content"
    assert store.create("record", {"a": 1})
    assert store.get("record") == b'{"a":1}'


# what is S3's own


def test_a_listing_longer_than_one_page_is_complete(s3: S3Bucket, s3_url: str) -> None:
    client = _client(s3_url)
    for number in range(1001):  # a page holds 1,000
        client.put_object(Bucket=s3.bucket, Key=f"team/ratchet/many/{number:08}", Body=b"")

    assert len(list(s3.keys("many/"))) == 1001


def test_everything_lies_below_the_prefix(s3: S3Bucket, s3_url: str, tmp_path: Path) -> None:
    s3.create("a", _file(tmp_path, b"x"))

    objects = _client(s3_url).list_objects_v2(Bucket=s3.bucket)["Contents"]

    assert [entry["Key"] for entry in objects] == ["team/ratchet/a"]


def test_without_a_prefix_keys_are_at_the_top(s3_url: str, s3_secrets: Path, tmp_path: Path) -> None:
    _client(s3_url).create_bucket(Bucket="plain")

    S3Bucket(StoreSettings(kind="s3", bucket="plain", endpoint_url=s3_url), s3_secrets).create(
        "a/b", _file(tmp_path, b"x")
    )

    assert [entry["Key"] for entry in _client(s3_url).list_objects_v2(Bucket="plain")["Contents"]] == ["a/b"]


def test_a_large_file_goes_up_in_parts_and_is_created_once_too(s3: S3Bucket, s3_url: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * (11 * MIB // 256)

    assert s3.create("large", _file(tmp_path, content))
    assert _content(s3, "large", tmp_path) == content
    assert _client(s3_url).head_object(Bucket=s3.bucket, Key="team/ratchet/large")["ETag"].endswith('-3"')


class Late(S3Bucket):
    """Looks for the key before the other writer is done, and writes after."""

    def exists(self, key: str) -> bool:
        return False


@pytest.mark.parametrize("num_bytes", [10, 6 * MIB], ids=["at once", "in parts"])
def test_a_writer_that_comes_late_loses_by_precondition(
    s3: S3Bucket, s3_url: str, s3_secrets: Path, tmp_path: Path, num_bytes: int
) -> None:
    settings = StoreSettings(kind="s3", bucket=s3.bucket, prefix="team/ratchet", endpoint_url=s3_url)
    late = Late(settings, s3_secrets, part_bytes=5 * MIB)
    s3.create("key", _file(tmp_path, b"first"))

    assert not late.create("key", _file(tmp_path, b"2" * num_bytes))
    assert _content(s3, "key", tmp_path) == b"first"
    assert "Uploads" not in _client(s3_url).list_multipart_uploads(Bucket=s3.bucket)


def test_a_bucket_that_does_not_exist_is_a_clear_refusal(s3_url: str, s3_secrets: Path, tmp_path: Path) -> None:
    bucket = S3Bucket(StoreSettings(kind="s3", bucket="nowhere", endpoint_url=s3_url), s3_secrets)

    with pytest.raises(StoreRefused, match=r"nowhere.*there is no such bucket"):
        bucket.create("key", _file(tmp_path, b"x"))
    with pytest.raises(StoreRefused, match="nowhere"):
        list(bucket.keys(""))


def test_settings_without_a_bucket_are_refused(s3_secrets: Path) -> None:
    with pytest.raises(TerminalError, match="`bucket`"):
        S3Bucket(StoreSettings(kind="s3"), s3_secrets)


def test_rotated_credentials_are_used_from_the_next_call_on(s3: S3Bucket, s3_secrets: Path) -> None:
    before = s3._client
    same = s3._client
    (s3_secrets / "s3_secret_access_key").write_text("rotated")
    after = s3._client

    assert same is before
    assert after is not before
    assert after._request_signer._credentials.secret_key == "rotated"


def test_no_credentials_anywhere_says_where_to_put_them(
    s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    bucket = S3Bucket(StoreSettings(kind="s3", bucket="b", endpoint_url=s3_url), tmp_path / "no-secrets")

    with pytest.raises(StoreRefused, match="no-secrets/s3_access_key_id"):
        bucket.exists("key")
