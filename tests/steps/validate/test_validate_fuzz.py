"""Whatever the bytes, an upload is read or refused in a sentence, and no row is lost. Longer: make fuzz-intake."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.steps.validate.fuzzing import (
    INSERTS,
    MUTATIONS,
    Mutation,
    awkward_file,
    fuzzed_world,
    try_upload,
    valid_files,
)

from ratchet.clients.world import World

mutations = st.lists(
    st.builds(
        Mutation,
        kind=st.sampled_from(MUTATIONS),
        at=st.floats(0, 1),
        length=st.sampled_from((1, 2, 8, 100)),
        insert=st.sampled_from(INSERTS) | st.binary(max_size=12),
    ),
    min_size=1,
    max_size=3,
)
quietly = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return fuzzed_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return valid_files(tmp_path_factory.mktemp("files"))


def test_every_valid_file_is_read(world: World, files: dict[str, bytes]) -> None:
    assert {name: try_upload(world, name, content) for name, content in files.items()} == dict.fromkeys(files, "read")


@quietly
@given(number=st.integers(0, 10**6), changes=mutations)
def test_a_file_changed_at_byte_level_is_read_or_refused(
    world: World, files: dict[str, bytes], number: int, changes: list[Mutation]
) -> None:
    name, content = sorted(files.items())[number % len(files)]
    for change in changes:
        content = change.of(content)

    try_upload(world, name, content)


@quietly
@given(seed=st.integers(0, 10**6))
def test_a_file_of_odd_names_and_values_is_read_or_refused(world: World, seed: int) -> None:
    try_upload(world, *awkward_file(random.Random(seed)))


@pytest.mark.parametrize("name", ["up.csv.gz", "up.csv.zst", "plain.parquet"])
def test_a_packed_file_cut_at_any_byte_is_refused(world: World, files: dict[str, bytes], name: str) -> None:
    content = files[name]
    cuts = range(0, len(content), max(1, len(content) // 40))

    assert {try_upload(world, name, content[:cut]) for cut in cuts} == {"refused"}
