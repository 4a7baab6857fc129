from tests.fakes.events import event, parts, sha, story
from tests.fakes.registry import FakeRegistry

from ratchet.clients.registry import follow_ledger


def test_a_version_says_what_serves_it_where_that_is_an_adapter_on_a_base() -> None:
    registry = FakeRegistry()
    as_adapter = [event(kind, "b", parts=parts("b")) for kind in ("approved", "promoting", "promoted")]

    follow_ledger(registry, "support", story(event("bootstrap", "a"), *as_adapter))

    tags = {version.sha256: version.tags for version in registry.versions["support"]}
    assert tags[sha("a")] == {"ratchet.release_id": "a"}
    assert tags[sha("b")] == {
        "ratchet.release_id": "b",
        "ratchet.dataset_sha256": sha("data b"),
        "ratchet.adapter_sha256": sha("adapter of b"),
        "ratchet.base_sha256": sha("base"),
    }
