"""What waits in a drop folder or a bucket's prefix is found, taken and settled; nothing outside is ever touched."""

import json
import os
from pathlib import Path

import pytest

from ratchet.clients.s3 import S3Bucket
from ratchet.clients.settings import IntakeSettings, Settings, StoreSettings
from ratchet.clients.world import World
from ratchet.intake.drop import BadName, Drop, Gone, LocalDrop, NotAFile, S3Drop, drop_of, unchanged
from ratchet.intake.settle import Ending, settle
from ratchet.intake.take import StillWritten, take

boto3 = pytest.importorskip("boto3")
httpx = pytest.importorskip("httpx")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def bucket(s3_url: str, s3_secrets: Path, request: pytest.FixtureRequest) -> S3Bucket:
    name = f"b{abs(hash(request.node.name))}"
    found = S3Bucket(
        StoreSettings(kind="s3", bucket=name, prefix="team", endpoint_url=s3_url, region="us-east-1"), s3_secrets
    )
    found._client.create_bucket(Bucket=name)
    return found


@pytest.fixture(params=["folder", "bucket"])
def drop(request: pytest.FixtureRequest, world: World) -> Drop:
    if request.param == "folder":
        return LocalDrop(request.getfixturevalue("folder"))
    return S3Drop(request.getfixturevalue("bucket"), "drop/support/", world)


def put(drop: Drop, name: str, content: bytes, tmp_path: Path) -> None:
    """As an uploader does: overwrites what is there."""
    if isinstance(drop, LocalDrop):
        (drop.folder / name).write_bytes(content)
    else:
        assert isinstance(drop, S3Drop)
        drop._bucket._client.put_object(
            Bucket=drop._bucket.bucket, Key=f"{drop._bucket.prefix}drop/support/{name}", Body=content
        )


def names(drop: Drop) -> list[str]:
    return [dropped.name for dropped in drop.waiting()]


def test_whole_files_wait_and_those_still_copied_do_not(drop: Drop, tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl", "c.csv.part", "d.csv.tmp", "e.csv.crdownload", "F.CSV.PART", ".g.csv", "h.csv~"):
        put(drop, name, b"text,label\n", tmp_path)

    assert names(drop) == ["a.jsonl", "b.csv"]


def test_a_settled_file_is_gone_from_what_waits_and_lies_beside_its_receipt(
    drop: Drop, world: World, tmp_path: Path
) -> None:
    put(drop, "bad.csv", b"\xff", tmp_path)

    where = settle(world, drop, drop.find("bad.csv"), Ending("refused", "it is not UTF-8"))

    assert names(drop) == []
    assert "/refused/" in where
    assert where.endswith("-bad.csv")
    receipt = json.loads(read(drop, f"{where}.receipt.json"))
    assert (receipt["status"], receipt["sentence"], receipt["version"]) == ("REFUSED", "it is not UTF-8", None)
    assert read(drop, where) == b"\xff"


def test_to_settle_twice_is_to_settle_once(drop: Drop, world: World, tmp_path: Path) -> None:
    put(drop, "bad.csv", b"\xff", tmp_path)
    dropped = drop.find("bad.csv")

    places = {settle(world, drop, dropped, Ending("refused", "it is not UTF-8")) for _ in range(2)}

    assert len(places) == 1
    assert read(drop, places.pop()) == b"\xff"


def test_a_file_that_was_replaced_while_its_forerunner_was_looked_at_stays(
    drop: Drop, world: World, tmp_path: Path
) -> None:
    put(drop, "monday.csv", b"one", tmp_path)
    dropped = drop.find("monday.csv")
    put(drop, "monday.csv", b"another", tmp_path)

    settle(world, drop, dropped, Ending("accepted", "fine"))

    assert names(drop) == ["monday.csv"]
    assert drop.find("monday.csv").mark != dropped.mark


def test_what_waits_can_be_read(drop: Drop, tmp_path: Path) -> None:
    put(drop, "monday.csv", b"text,label\n", tmp_path)

    with drop.opened(drop.find("monday.csv")) as file:
        assert file.read() == b"text,label\n"


@pytest.mark.parametrize(
    "name",
    [
        "../ratchet.toml",
        "/etc/passwd",
        "a/b.csv",
        "..",
        ".",
        "",
        "a\\b.csv",
        "a\x1b[2J.csv",
        ".hidden",
        "x.part",
        "n" * 201,
    ],
)
def test_a_name_that_is_no_plain_file_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(BadName, match=r"expected a plain name such as monday\.csv"):
        LocalDrop(folder).find(name)


def test_what_is_not_there_is_nothing_to_do(drop: Drop) -> None:
    with pytest.raises(Gone, match=r"'monday\.csv' waits in"):
        drop.find("monday.csv")


def test_a_link_is_refused_unread_and_moved_away_as_a_link(folder: Path, tmp_path: Path, world: World) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("text,label\n")
    (folder / "link.csv").symlink_to(secret)
    drop = LocalDrop(folder)
    dropped = drop.find("link.csv")

    with pytest.raises(NotAFile, match=r"link\.csv cannot be taken: it is a symbolic link"), drop.opened(dropped):
        pass
    where = settle(world, drop, dropped, Ending("refused", "a link"))

    assert names(drop) == []
    assert Path(where).is_symlink()
    assert secret.read_text() == "text,label\n"


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(folder: Path) -> None:
    os.mkfifo(folder / "pipe.csv")
    drop = LocalDrop(folder)

    with pytest.raises(NotAFile, match="plain file"), drop.opened(drop.find("pipe.csv")):
        pass


def test_only_what_two_looks_saw_alike_is_whole(folder: Path) -> None:
    drop = LocalDrop(folder)
    (folder / "whole.csv").write_bytes(b"all of it")
    (folder / "grows.csv").write_bytes(b"some")
    before = drop.waiting()
    (folder / "grows.csv").write_bytes(b"some more")
    (folder / "new.csv").write_bytes(b"just came")

    assert [dropped.name for dropped in unchanged(before, drop.waiting())] == ["whole.csv"]


def test_a_file_that_changes_while_it_is_taken_leaves_nothing_in_the_store(world: World, tmp_path: Path) -> None:
    path = tmp_path / "grows.csv"
    path.write_bytes(b"x" * (1 << 20) * 2)

    def write_on(_num_bytes: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with path.open("rb") as source, pytest.raises(StillWritten, match=r"grows\.csv changed while it was read"):
        take(world, source, path.name, write_on)

    assert world.store.keys("blobs/") == []


def test_a_file_that_stands_still_is_taken_and_its_bytes_are_counted(world: World, tmp_path: Path) -> None:
    path, seen = tmp_path / "still.csv", []
    path.write_bytes(b"text,label\n")

    with path.open("rb") as source:
        ref = take(world, source, path.name, seen.append)

    assert world.store.read_bytes(ref) == b"text,label\n"
    assert sum(seen) == ref.bytes == 11


def test_a_presigned_url_is_enough_for_somebody_outside(bucket: S3Bucket, world: World) -> None:
    where = {"Bucket": bucket.bucket, "Key": f"{bucket.prefix}drop/support/monday.csv"}
    url = bucket._client.generate_presigned_url("put_object", Params=where, ExpiresIn=3600)

    answer = httpx.put(url, content=b"text,label\n", trust_env=False)

    assert answer.status_code == 200
    assert names(S3Drop(bucket, "drop/support/", world)) == ["monday.csv"]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, LocalDrop),
        ({"store": StoreSettings(kind="s3", bucket="b")}, S3Drop),
        ({"store": StoreSettings(kind="s3", bucket="b"), "intake": IntakeSettings(drop_dir=Path("in"))}, LocalDrop),
    ],
)
def test_files_wait_where_the_settings_say(tmp_path: Path, settings: dict, kind: type) -> None:
    drop = drop_of(World(Settings(root=tmp_path, **settings), tmp_path), "support")

    assert isinstance(drop, kind)
    assert (
        drop.where
        == {
            (): str(tmp_path / ".ratchet/drop/support"),
            ("store",): "s3://b/drop/support/",
            ("store", "intake"): str(tmp_path / "in"),
        }[tuple(settings)]
    )


def read(drop: Drop, where: str) -> bytes:
    if isinstance(drop, LocalDrop):
        return Path(where).read_bytes()
    assert isinstance(drop, S3Drop)
    key = where.removeprefix(f"s3://{drop._bucket.bucket}/")
    return drop._bucket._client.get_object(Bucket=drop._bucket.bucket, Key=key)["Body"].read()
