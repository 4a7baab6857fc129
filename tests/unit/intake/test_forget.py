"""Rows that somebody asked to be erased leave the dataset for good, and whoever was trained on them is named."""

import argparse
import io
from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.datasets import DATASET, hand_in, newest, row, texts_of
from tests.fakes.events import event, story
from tests.fakes.fuse import Fuse, Killed
from tests.fakes.release_world import Bucket

from ratchet.cli import forget as command
from ratchet.clients.bucket import LocalBucket
from ratchet.clients.settings import Settings
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.refs import blob_key
from ratchet.intake.forget import BadPattern, Knows, by_ids, by_match, forget, look, who_knows
from ratchet.intake.settle import sentence_of
from ratchet.intake.versions import Sender, read_forgotten
from ratchet.recipes.catalogue import load_recipe

ROOT = Path(__file__).parents[3]
TEXTS = ("my name is Mia Noor", "where is my parcel", "call MIA NOOR back")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


def erase(world: World, pattern: str = "mia noor") -> None:
    found = look(world, world.datasets(DATASET).records(), by_match(pattern, is_regex=False))
    forget(world, DATASET, found.digests, "omar", "request 17")


def test_matching_rows_leave_the_dataset_in_a_new_version(world: World) -> None:
    hand_in(world, *TEXTS)

    erase(world)

    version = newest(world)
    assert texts_of(world, version.rows) == ["where is my parcel"]
    assert (version.kind, version.made_from, version.num_rows, version.num_forgotten) == ("forget", 0, 1, 2)
    assert (version.by, version.note) == ("omar", "request 17")


def test_the_version_holds_digests_of_what_was_forgotten_and_no_text(world: World) -> None:
    hand_in(world, *TEXTS)

    erase(world)

    version = newest(world)
    assert version.forgotten
    assert len(read_forgotten(world, version.forgotten)) == 2
    assert b"mia" not in world.store.read_bytes(version.forgotten).lower() + version.canonical_json().lower()


@pytest.mark.parametrize("replace", [False, True])
def test_a_forgotten_row_does_not_come_back_by_another_upload(world: World, replace: bool) -> None:
    hand_in(world, *TEXTS)
    erase(world)

    added = hand_in(world, *TEXTS, "a new one", sender=Sender("mia", replace=replace))

    assert added.version.num_forgotten == 2
    assert "2 rows were left out because they were forgotten" in sentence_of(added, "up.csv")
    texts = texts_of(world, newest(world).rows)
    assert not any("mia" in text.lower() for text in texts)
    assert "a new one" in texts
    assert newest(world).num_rows == len(texts)


def test_an_upload_of_forgotten_rows_alone_makes_no_version(world: World) -> None:
    hand_in(world, *TEXTS)
    erase(world)

    assert not hand_in(world, TEXTS[0]).is_new
    assert newest(world).kind == "forget"


def test_a_row_matched_by_its_text_is_found_under_every_label_and_by_its_label_under_that_one_alone(
    world: World,
) -> None:
    finds = by_match("mia", is_regex=False)

    assert finds(row("Mia here", "refund")) == "text"
    assert finds(row("hello", "said Mia")) == "id"
    assert finds(row("hello", "refund")) is None


def test_a_substring_is_taken_as_it_is_written_unless_it_is_said_to_be_a_pattern() -> None:
    card = row("card 4111 1111")

    assert by_match("4.11", is_regex=False)(card) is None
    assert by_match("4.11", is_regex=True)(card) == "text"


@pytest.mark.parametrize(
    ("pattern", "is_regex", "words"), [("  ", False, "blank"), ("(", True, "no regular expression")]
)
def test_what_cannot_be_looked_for_is_said(pattern: str, is_regex: bool, words: str) -> None:
    with pytest.raises(BadPattern, match=words):
        by_match(pattern, is_regex)


def test_rows_are_found_by_their_ids_and_a_bad_one_is_named(tmp_path: Path) -> None:
    one, other = row("one"), row("other")
    (tmp_path / "ids").write_text(f"{one['id']}\n")
    (tmp_path / "bad").write_text(f"{one['id']}\nrow 17\n")

    finds = by_ids(tmp_path / "ids")

    assert [finds(one), finds(other)] == ["id", None]
    with pytest.raises(BadPattern, match=r"bad, id 2: expected 64 hex digits, got 'row 17'"):
        by_ids(tmp_path / "bad")


def test_a_row_that_only_an_old_version_has_is_forgotten_too(world: World) -> None:
    hand_in(world, *TEXTS)
    hand_in(world, "begun anew", sender=Sender("mia", replace=True))

    erase(world)

    assert (newest(world).kind, newest(world).num_forgotten) == ("forget", 0)
    assert hand_in(world, *TEXTS).version.num_forgotten == 2


def test_to_forget_again_is_nothing_to_do(world: World) -> None:
    hand_in(world, *TEXTS)
    erase(world)

    with pytest.raises(NothingToDo, match="forgotten already"):
        erase(world)


def test_a_version_whose_rows_were_deleted_is_told_of_and_passed_over(world: World) -> None:
    hand_in(world, *TEXTS)
    first = newest(world)
    erase(world)
    assert isinstance(world.store.bucket, LocalBucket)
    world.store.bucket.delete(blob_key(first.rows.sha256))

    found = look(world, world.datasets(DATASET).records(), by_match("parcel", is_regex=False))

    assert found.unread == (0,)
    assert found.versions == {1: 1}


def test_every_release_that_was_trained_on_such_rows_is_named_with_what_it_is_now(world: World) -> None:
    hand_in(world, "an older row")
    hand_in(world, *TEXTS)
    hand_in(world, "a newer row")
    versions = world.datasets(DATASET).records()
    data = [version.rows.sha256 for version in versions]
    events = story(
        event("bootstrap", "a"),
        *(event(kind, "b", dataset_sha256=data[0]) for kind in ("approved", "promoting", "promoted")),
        *(event(kind, "c", dataset_sha256=data[1]) for kind in ("approved", "promoting", "promoted")),
        event("rejected", "d", dataset_sha256=data[2]),
        *(event(kind, "e", dataset_sha256=data[2]) for kind in ("approved", "promoting", "promoted")),
    )

    found = look(world, versions, by_match("mia", is_regex=False))

    assert who_knows(versions, found, events) == [
        Knows("c", "previous"),
        Knows("d", "not serving"),
        Knows("e", "in production"),
    ]


def test_killed_at_any_moment_and_run_again_rows_are_forgotten_once(tmp_path: Path) -> None:
    moment, finished = 0, False
    while not finished:
        root, fuse = tmp_path / str(moment), Fuse()
        world = World(Settings(root=root), root / "work")
        world.__dict__["store"] = Store(Bucket(root / "store", fuse), root / "scratch")
        hand_in(world, *TEXTS)

        fuse.set(moment)
        try:
            erase(world)
            finished = True
        except Killed:
            fuse.set(None)
            if len(world.datasets(DATASET).records()) == 1:
                erase(world)

        assert [version.kind for version in world.datasets(DATASET).records()] == ["append", "forget"]
        assert texts_of(world, newest(world).rows) == ["where is my parcel"]
        moment += 1

    assert moment == 2 * 3 + 1  # the rows, the digests and the record


# the command


def say(world: World, **options: object) -> str:
    recipe = load_recipe("support", ROOT).model_copy(update={"dataset": DATASET})
    given = {"match": "mia noor", "ids": None, "regex": False, "reason": "request 17", "yes": True, **options}
    console = Console(file=io.StringIO(), width=200, highlight=False)
    command.run(world, recipe, argparse.Namespace(**given), console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_command_says_what_goes_what_is_left_and_where_it_remains(world: World) -> None:
    hand_in(world, *TEXTS)
    before = newest(world)

    told = say(world)

    assert "2 rows of the newest version of 'tickets' match" in told
    assert "version 1 of 'tickets'" in told
    for ref in (before.rows, *before.uploads):
        assert blob_key(ref.sha256) in told
    assert newest(world).kind == "forget"


def test_where_nobody_can_be_asked_nothing_is_forgotten_without_yes(world: World) -> None:
    hand_in(world, *TEXTS)

    with pytest.raises(TerminalError, match="--yes"):
        say(world, yes=False)

    assert newest(world).kind == "append"


def test_what_no_version_has_is_nothing_to_do(world: World) -> None:
    hand_in(world, *TEXTS)

    with pytest.raises(NothingToDo, match="no version of tickets has such a row"):
        say(world, match="nobody")
