import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fakes.engine import FakeEngine
from tests.fakes.events import model
from tests.fakes.supervisor import FakeSupervisor
from tests.fakes.web import Answering, listening

from ratchet.clients.bucket import LocalBucket
from ratchet.clients.engine import Engine, LoadedModel, SupervisedVllm, requests_in_flight, to_load
from ratchet.clients.settings import Ports, Settings
from ratchet.clients.store import MissingObject, Store
from ratchet.clients.supervisor import SupervisorAway
from ratchet.core.errors import TerminalError
from ratchet.core.serving import ServedParts, ServingSettings


class Place:
    """An engine, the store it loads from, and the supervisor that runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(LocalBucket(folder / "store"), folder / "scratch")
        self.supervisor = FakeSupervisor()
        self.engine = self.with_ports(Ports(blue=9, green=9))

    def with_ports(self, ports: Ports) -> SupervisedVllm:
        return SupervisedVllm(Settings(root=self.folder, ports=ports), self.store, self.supervisor)

    def model(self, name: str) -> LoadedModel:
        source = self.folder / "models" / name
        source.mkdir(parents=True, exist_ok=True)
        (source / "config.json").write_text(name)
        return LoadedModel(release_id=name, model=self.store.put_folder(source))

    def on_base(self, name: str) -> LoadedModel:
        """A release of the adapter lane, as the adapter `name` on the base; its merged model is in no store."""
        parts = ServedParts(adapter=self.model(name).model, base=self.model("base").model)
        return to_load(name, model(f"merged {name}"), parts, ServingSettings())

    def on_disk(self) -> set[str]:
        return {path.name for path in (self.folder / ".ratchet" / "serving" / "models").iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(params=["supervised", "fake"])
def engine(request: pytest.FixtureRequest, place: Place) -> Engine:
    return place.engine if request.param == "supervised" else FakeEngine()


def test_a_colour_is_meant_to_serve_what_was_loaded_last(engine: Engine, place: Place) -> None:
    assert engine.loaded("blue") is None
    for name in ("a", "b"):
        engine.load("blue", place.model(name))

    assert engine.loaded("blue") == place.model("b")
    assert engine.loaded("green") is None


def test_an_unloaded_colour_serves_nothing(engine: Engine, place: Place) -> None:
    engine.load("green", place.model("a"))
    engine.unload("green")

    assert engine.loaded("green") is None
    assert engine.failure("green") is None


def test_unloading_what_is_not_loaded_does_nothing(engine: Engine) -> None:
    engine.unload("green")

    assert engine.loaded("green") is None


def test_a_process_that_was_just_started_has_not_failed(engine: Engine, place: Place) -> None:
    engine.load("blue", place.model("a"))
    engine.load("blue", place.model("b"))

    assert engine.failure("blue") is None


def test_a_process_that_ended_tells_why(engine: Engine, place: Place) -> None:
    engine.load("blue", place.model("a"))
    if isinstance(engine, FakeEngine):
        engine.died["blue"] = "out of memory"
    else:
        place.supervisor.crash("vllm-blue", "loading\nout of memory\n")

    assert "out of memory" in str(engine.failure("blue"))


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory\n" + "more\n" * 20, True),
        ("ERROR Worker proc VllmWorker-0 died unexpectedly, shutting down executor.\n", True),
        ("RuntimeError: Engine core initialization failed. Failed core proc(s): {'EngineCore': -9}\n", True),
        ("RuntimeError: Engine core initialization failed. Failed core proc(s): {'EngineCore': 1}\n", False),
        ("ValueError: unknown architecture\n", False),
        ('MemoryError\n{"event": "starting vLLM"}\nValueError: unknown architecture\n', False),  # an earlier process
    ],
)
def test_a_process_that_ran_out_of_memory_is_told_so(place: Place, log: str, told: bool) -> None:
    place.engine.load("blue", place.model("a"))
    place.supervisor.crash("vllm-blue", log)

    first = str(place.engine.failure("blue")).splitlines()[0]
    assert ("stop what else runs there" in first) is (log.splitlines()[0] in first) is told


def test_loading_what_runs_already_does_nothing(place: Place) -> None:
    place.engine.load("blue", place.model("a"))
    place.engine.load("blue", place.model("a"))

    assert place.supervisor.calls == ["stop vllm-blue", "start vllm-blue"]


def test_loading_what_ended_starts_it_again(place: Place) -> None:
    place.engine.load("blue", place.model("a"))
    place.supervisor.crash("vllm-blue", "")
    place.engine.load("blue", place.model("a"))

    assert place.supervisor.process("vllm-blue").runs
    assert place.supervisor.calls.count("start vllm-blue") == 2


def test_nothing_is_stopped_for_a_model_that_the_store_does_not_have(place: Place) -> None:
    place.engine.load("blue", place.model("a"))

    with pytest.raises(MissingObject):
        place.engine.load("blue", LoadedModel(release_id="b", model=model("b")))

    assert place.engine.loaded("blue") == place.model("a")
    assert place.supervisor.process("vllm-blue").runs


@pytest.mark.parametrize("moment", ["stop", "start"])
def test_killed_in_the_middle_of_a_load_the_next_one_finishes(
    place: Place, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.engine.load("blue", place.model("a"))
    monkeypatch.setattr(place.supervisor, moment, _killed)
    with pytest.raises(KeyboardInterrupt):
        place.engine.load("blue", place.model("b"))
    monkeypatch.undo()

    place.engine.load("blue", place.model("b"))

    assert place.engine.loaded("blue") == place.model("b")
    assert place.supervisor.calls[-2:] == ["stop vllm-blue", "start vllm-blue"]


def test_models_that_no_colour_serves_are_deleted(place: Place) -> None:
    place.engine.load("blue", place.model("a"))
    place.engine.load("green", place.model("b"))
    place.engine.load("green", place.model("c"))
    assert place.on_disk() == {place.model("a").model.sha256, place.model("c").model.sha256}

    place.engine.unload("green")
    assert place.on_disk() == {place.model("a").model.sha256}


def test_in_the_adapter_lane_adapter_and_base_are_fetched_and_the_base_is_shared(place: Place) -> None:
    base, a, b = (place.model(name).model.sha256 for name in ("base", "a", "b"))
    place.engine.load("blue", place.on_base("a"))
    shared = (place.folder / ".ratchet" / "serving" / "models" / base).stat().st_ino
    place.engine.load("green", place.on_base("b"))
    assert place.on_disk() == {base, a, b}

    place.engine.unload("blue")

    assert place.on_disk() == {base, b}
    assert (place.folder / ".ratchet" / "serving" / "models" / base).stat().st_ino == shared  # not copied anew
    assert place.engine.loaded("green") == place.on_base("b")


@pytest.mark.parametrize("contradiction", [{"serving": {"lane": "merged"}}, {"parts": None}])
def test_an_intended_state_of_no_lane_is_refused(place: Place, contradiction: dict[str, object]) -> None:
    place.engine.load("blue", place.on_base("a"))
    path = place.folder / ".ratchet" / "serving" / "blue.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | contradiction))

    with pytest.raises(TerminalError, match=r"serving\.lane is '(merged|adapter)', but there are"):
        place.engine.loaded("blue")


def test_an_intended_state_from_before_there_were_lanes_is_a_merged_model(place: Place) -> None:
    place.engine.load("blue", place.model("a"))
    path = place.folder / ".ratchet" / "serving" / "blue.json"
    fields = json.loads(path.read_bytes())
    del fields["parts"], fields["serving"]["lane"]
    path.write_text(json.dumps(fields))

    assert place.engine.loaded("blue") == place.model("a")


def test_a_process_that_came_back_after_a_crash_counts_as_failed_until_it_is_up(place: Place) -> None:
    place.engine.load("blue", place.model("a"))
    place.supervisor.crash("vllm-blue", "segmentation fault", restarted=True)
    assert "segmentation fault" in str(place.engine.failure("blue"))

    with _pages(["0"]) as port:
        engine = place.with_ports(Ports(blue=port, green=9))
        assert engine.failure("blue") is None


def test_a_crash_before_the_load_is_not_this_models_failure(place: Place) -> None:
    place.supervisor.ended_at["vllm-blue"] = 1.0

    place.engine.load("blue", place.model("a"))

    assert place.engine.failure("blue") is None


def test_an_intended_state_by_other_hands_is_named(place: Place) -> None:
    place.engine.load("blue", place.model("a"))
    (place.folder / ".ratchet" / "serving" / "blue.json").write_text('{"release_id": "a"}')

    with pytest.raises(TerminalError, match=r"blue\.json"):
        place.engine.loaded("blue")


def test_a_colour_is_stopped_only_when_its_answers_are_given(place: Place) -> None:
    with _pages(["3", "no number", "2", "0"]) as port:
        ports = Ports(blue=9, green=9, edge_admin=port)
        engine = place.with_ports(ports)
        engine.load("blue", place.model("a"))
        engine.load("blue", place.model("b"))
        asked = requests_in_flight(ports, "blue")

    assert asked == 0  # the page was read until it said so
    assert place.supervisor.calls[-2:] == ["stop vllm-blue", "start vllm-blue"]


def test_an_edge_that_does_not_say_is_not_taken_for_an_idle_one(place: Place) -> None:
    with _pages(["no number"]) as port:
        assert requests_in_flight(Ports(edge_admin=port), "blue") is None
    assert requests_in_flight(Ports(edge_admin=port), "blue") == 0


def test_a_colour_that_never_drains_is_stopped_at_the_deadline(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.clients.engine.DRAIN_TIMEOUT_SECONDS", 0.3)
    with _pages(["1"]) as port:
        engine = place.with_ports(Ports(blue=9, green=9, edge_admin=port))
        engine.load("blue", place.model("a"))
        engine.unload("blue")

    assert not place.supervisor.process("vllm-blue").runs


def test_a_platform_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    place = Place(tmp_path)
    engine = SupervisedVllm(Settings(root=tmp_path), place.store)

    with pytest.raises(SupervisorAway, match="ratchet up"):
        engine.load("blue", place.model("a"))


@contextmanager
def _pages(active: list[str]) -> Iterator[int]:
    """A server whose every page is Envoy's statistics: the active requests in turn, the last number for ever."""
    left = list(active)

    class Handler(Answering):
        def do_GET(self) -> None:
            count = left.pop(0) if len(left) > 1 else left[0]
            page = f"cluster.blue.upstream_rq_active: {count}\ncluster.blue.upstream_rq_pending_active: 0\n"
            if not count.isdigit():
                page = ""
            self.answer(200, page.encode())

    with listening(Handler) as port:
        yield port


def _killed(_name: str) -> None:
    raise KeyboardInterrupt
