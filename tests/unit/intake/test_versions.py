"""An accepted upload becomes one version, with its lineage, whoever sends it, however often, and whatever dies."""

import multiprocessing
from pathlib import Path

import pytest
from tests.fakes.datasets import DATASET, MIA, RULES, hand_in, looked_at, newest, texts_of
from tests.fakes.events import event, story
from tests.fakes.fuse import Fuse, Killed
from tests.fakes.release_world import Bucket
from tests.fakes.threads import at_once

from ratchet.clients.settings import Settings
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.contract import canonical_json, digest_json
from ratchet.core.datasets import DatasetVersion
from ratchet.intake.history import version_history
from ratchet.intake.versions import Refused, Sender, add_version


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


def test_a_version_says_what_made_it(world: World) -> None:
    hand_in(world, "one", "two")
    added = hand_in(world, "three", file_name="monday.csv", sender=Sender("noor", note="the monday export"))

    assert added.is_new
    version = newest(world)
    assert version == added.version
    assert texts_of(world, version.rows) == ["one", "two", "three"]
    assert (version.kind, version.made_from, version.seq) == ("append", 0, 1)
    assert (version.by, version.note, version.file_name) == ("noor", "the monday export", "monday.csv")
    assert version.rules_sha256 == digest_json(RULES)
    assert version.uploads[-1] == looked_at(world, ["three"])[0].upload


def test_a_replacement_begins_anew_and_says_so(world: World) -> None:
    hand_in(world, "one", "two")
    hand_in(world, "three", sender=Sender("mia", replace=True))

    version = newest(world)
    assert texts_of(world, version.rows) == ["three"]
    assert (version.kind, version.made_from, version.num_rows, len(version.uploads)) == ("replace", None, 1, 1)
    assert version.num_quarantined == 2


def test_a_record_from_before_there_was_lineage_still_parses(world: World) -> None:
    hand_in(world, "one")
    new = ("kind", "made_from", "file_name", "note", "rules_sha256", "forgotten", "num_forgotten")
    old = {name: value for name, value in newest(world).model_dump(mode="json").items() if name not in new}

    assert DatasetVersion.model_validate_json(canonical_json(old)).kind == "append"


def test_a_refused_batch_leaves_the_current_version(world: World) -> None:
    hand_in(world, "one")

    with pytest.raises(Refused, match=r"bad\.csv is refused: it has one label; the current version is unchanged"):
        add_version(world, DATASET, *looked_at(world, ["two"], "bad.csv", status="REFUSED"), MIA)

    assert texts_of(world, newest(world).rows) == ["one"]


@pytest.mark.parametrize("replace", [False, True])
def test_the_same_file_again_changes_nothing(world: World, replace: bool) -> None:
    hand_in(world, "one")

    again = hand_in(world, "one", sender=Sender("mia", replace=replace))

    assert not again.is_new
    assert again.version == newest(world)
    assert len(world.datasets(DATASET).records()) == 1


def test_the_same_file_sent_many_times_at_once_is_one_version(world: World) -> None:
    outcomes = at_once(8, lambda _: hand_in(World(world.settings, world.work), "one", "two"))

    assert sum(outcome.is_new for outcome in outcomes) == 1
    assert [version.num_rows for version in world.datasets(DATASET).records()] == [2]


def _send(root: Path, text: str) -> None:
    hand_in(World(Settings(root=root), root / "work"), text)


def test_different_files_sent_by_several_processes_at_once_all_land(world: World, tmp_path: Path) -> None:
    words = ["one", "two", "three", "four"]
    context = multiprocessing.get_context("fork")
    senders = [context.Process(target=_send, args=(tmp_path, word)) for word in words]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)

    assert [sender.exitcode for sender in senders] == [0] * 4
    versions = world.datasets(DATASET).records()
    assert [version.num_rows for version in versions] == [1, 2, 3, 4]
    assert sorted(texts_of(world, versions[-1].rows)) == sorted(words)
    assert len(versions[-1].uploads) == 4


def test_killed_at_any_moment_and_run_again_nothing_is_half_accepted(tmp_path: Path) -> None:
    moment, finished = 0, False
    while not finished:
        root, fuse = tmp_path / str(moment), Fuse()
        world = World(Settings(root=root), root / "work")
        world.__dict__["store"] = Store(Bucket(root / "store", fuse), root / "scratch")
        hand_in(world, "one")
        before = newest(world)
        inputs, checked = looked_at(world, ["two"])

        fuse.set(moment)
        try:
            add_version(world, DATASET, inputs, checked, MIA)
            finished = True
        except Killed:
            assert len(world.datasets(DATASET).records()) in (1, 2)
            fuse.set(None)
            add_version(world, DATASET, inputs, checked, MIA)

        assert [version.seq for version in world.datasets(DATASET).records()] == [0, 1]
        assert world.datasets(DATASET).records()[0] == before
        assert texts_of(world, newest(world).rows) == ["one", "two"]
        moment += 1

    assert moment == 2 * 2 + 1  # the rows and the record, before and after each; and once without


def test_the_history_says_what_each_version_added_and_what_was_trained_on_it(world: World) -> None:
    hand_in(world, "one", "two")
    hand_in(world, "three")
    hand_in(world, "four", sender=Sender("mia", replace=True))
    versions = world.datasets(DATASET).records()
    trained = story(
        event("bootstrap", "a"),
        event("approved", "b", dataset_sha256=versions[1].rows.sha256),
        event("promoted", "b", dataset_sha256=versions[1].rows.sha256),
    )

    history = version_history(versions, trained)

    assert [(entry.num_new, entry.num_quarantined) for entry in history] == [(2, 2), (1, 2), (1, 2)]
    assert [entry.releases for entry in history] == [(), ("b",), ()]
