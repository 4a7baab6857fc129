"""One real export for the whole file; what is broken is broken in copies of its bundle."""

import json
import shutil
from pathlib import Path

import pytest
from ai_edge_litert.tools import flatbuffer_utils
from tests.steps.convert.models import make_trained_model, write_rows

from ratchet.clients.files import DiskFull
from ratchet.clients.memory import Room
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.convert import bundle, measure, preflight
from ratchet.convert.contained import ConvertTimeout, run_contained
from ratchet.convert.contract import ConvertInputs, ConvertOutputs, ConvertSettings, SamplingDefaults
from ratchet.convert.parity import Measurements, Parity, decide
from ratchet.convert.run import run
from ratchet.core.errors import TerminalError
from ratchet.core.refs import digest_folder

NUM_PROMPTS = 150
SETTINGS = ConvertSettings(
    prefill_length=32,  # shorter than the prompts: both ways into the cache are taken
    cache_length=128,
    num_parity_prompts=NUM_PROMPTS,
    sampling=SamplingDefaults(max_tokens=12, seed=7),
)


class Converted:
    def __init__(self, root: Path) -> None:
        self.model = make_trained_model(root / "trained")
        self.prompts = write_rows(root / "prompts.jsonl", NUM_PROMPTS + 5)
        self.world = World(Settings(root=root), root / "work")
        self.inputs = ConvertInputs(
            model=self.world.store.put_folder(self.model),
            prompts=self.world.store.put_file(self.prompts),
            settings=SETTINGS,
        )
        self.outputs: ConvertOutputs = run(self.inputs, self.world)
        self.bundle = self.world.store.fetch_folder(self.outputs.bundle, root / "bundle")

    def scratch_is_empty(self) -> bool:
        return not list(self.world.settings.scratch.iterdir())


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return Converted(tmp_path_factory.mktemp("convert"))


@pytest.fixture
def copy(converted: Converted, tmp_path: Path) -> Path:
    """The bundle, writable."""
    folder = shutil.copytree(converted.bundle, tmp_path / "bundle", copy_function=shutil.copyfile)
    return Path(folder)


def judged(converted: Converted, folder: Path, settings: ConvertSettings = SETTINGS) -> Parity:
    out = folder / "measured.json"
    measure.main(converted.model, folder, converted.prompts, out, settings)
    return decide(Measurements.model_validate_json(out.read_bytes()), settings)


def rebuilt(converted: Converted, folder: Path, model: Path) -> Path:
    bundle.write_bundle(model, converted.inputs.model.sha256, folder, SETTINGS)
    return folder


def test_a_good_model_becomes_a_small_bundle_that_agrees_with_it(converted: Converted) -> None:
    outputs = converted.outputs

    assert outputs.verdict == "PASS", [check.reason for check in outputs.checks]
    assert [check.name for check in outputs.checks] == ["top1_agreement", "label_accuracy", "conversation"]
    assert {check.num_samples for check in outputs.checks} == {NUM_PROMPTS}
    assert (outputs.checks[1].baseline or 0) > 0.9  # it had learnt something, so agreeing says something
    assert outputs.max_logit_difference is not None
    assert 0 < outputs.max_logit_difference < 2
    assert outputs.tflite_bytes < (converted.model / "model.safetensors").stat().st_size
    assert outputs.tflite_bytes < outputs.litertlm_bytes
    assert converted.scratch_is_empty()


def test_the_bundle_carries_tokenizer_template_stop_tokens_and_default_sampling(converted: Converted) -> None:
    import litert_lm

    defaults = json.loads((converted.bundle / "bundle.json").read_text())
    with litert_lm.ModelInfo(str(converted.bundle / "model.litertlm")) as info:
        sampler, context = info.llm.default_sampler_params, info.max_context_tokens
    with litert_lm.Engine(str(converted.bundle / "model.litertlm"), cache_dir=":nocache") as engine:
        stop_tokens = engine.eos_token_ids

    assert {path.name for path in converted.bundle.iterdir()} == {
        *("model.tflite", "model.litertlm", "bundle.json"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
    assert defaults == {
        "schema_version": 1,
        "model_sha256": converted.inputs.model.sha256,
        "quantization": "dynamic_wi8_afp32",
        "context_tokens": 128,
        "max_tokens": 12,
        "top_k": 1,
        "temperature": 0.0,
        "seed": 7,
        "stop_token_ids": [2],
        "pad_token_id": 0,
    }
    assert (sampler.top_k, sampler.temperature, context) == (1, 0.0, 128)  # the seed is used, below, but not told
    assert stop_tokens == [[2]]


def test_the_same_files_make_the_same_bundle(converted: Converted, copy: Path) -> None:
    (copy / "model.litertlm").unlink()

    rebuilt(converted, copy, converted.model)

    assert digest_folder(copy) == converted.outputs.bundle.sha256


def test_the_runtime_samples_as_the_bundle_says(converted: Converted, copy: Path) -> None:
    def answers(seed: int) -> list[str | None]:
        sampling = SamplingDefaults(max_tokens=12, top_k=200, temperature=3.0, seed=seed)
        settings = SETTINGS.model_copy(update={"sampling": sampling})
        bundle.write_bundle(converted.model, converted.inputs.model.sha256, copy, settings)
        return measure.conversations(copy / "model.litertlm", ["my card has not arrived"] * 3, max_tokens=12)[0]

    assert answers(seed=1) == answers(seed=1) != answers(seed=2)


def test_weights_of_zero_emit_pad_tokens_and_fail_parity(converted: Converted, copy: Path) -> None:
    model = flatbuffer_utils.read_model(str(copy / "model.tflite"))
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) > 4096:
            buffer.data = bytes(len(buffer.data))
    flatbuffer_utils.write_model(model, str(copy / "model.tflite"))
    rebuilt(converted, copy, converted.model)

    parity = judged(converted, copy)

    assert parity.verdict == "FAIL"
    assert {check.verdict for check in parity.checks} == {"FAIL"}
    assert parity.checks[1].candidate == 0.0


def test_a_template_that_prints_the_runtimes_content_list_fails_the_conversations(
    converted: Converted, copy: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(converted.model, tmp_path / "model"))
    template = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    (model / "chat_template.jinja").write_text(template + "<|im_start|>assistant\n")
    rebuilt(converted, copy, model)

    parity = judged(converted, copy)

    assert parity.verdict == "FAIL"
    assert [check.verdict for check in parity.checks] == ["PASS", "FAIL", "FAIL"]


def test_a_bundle_that_the_runtime_cannot_load_fails_and_says_so(converted: Converted, copy: Path) -> None:
    (copy / "model.litertlm").write_bytes(b"not a bundle")

    parity = judged(converted, copy)

    assert parity.verdict == "FAIL"
    assert "Failed to create LiteRT-LM engine" in parity.checks[2].reason


def test_prompts_that_do_not_fit_the_context_are_counted_not_cut(converted: Converted, copy: Path) -> None:
    settings = SETTINGS.model_copy(update={"sampling": SamplingDefaults(max_tokens=120)})
    bundle.write_bundle(converted.model, converted.inputs.model.sha256, copy, settings)

    parity = judged(converted, copy, settings)

    assert parity.verdict == "INCONCLUSIVE"
    assert f"{NUM_PROMPTS} were too long" in parity.checks[0].reason


def test_a_truncated_tflite_ends_the_measuring_process_not_the_step(converted: Converted, copy: Path) -> None:
    content = (copy / "model.tflite").read_bytes()
    (copy / "model.tflite").write_bytes(content[: len(content) // 2])
    files = [converted.model, copy, converted.prompts, copy / "measured.json"]

    with pytest.raises(TerminalError, match=r"CONVERT_(FAILED|CRASHED): parity"):
        run_contained(
            "ratchet.convert.measure",
            [*map(str, files), SETTINGS.model_dump_json()],
            doing="parity",
            log_file=copy / "measure.log",
            deadline_seconds=120,
        )


def test_a_deadline_stops_the_export_and_leaves_nothing(converted: Converted) -> None:
    settings = SETTINGS.model_copy(update={"deadline_seconds": 2})
    num_blobs = len(converted.world.store.keys("blobs/"))

    with pytest.raises(ConvertTimeout, match="CONVERT_TIMEOUT: export to LiteRT took longer than its 2 s"):
        run(converted.inputs.model_copy(update={"settings": settings}), converted.world)

    assert converted.scratch_is_empty()
    assert len(converted.world.store.keys("blobs/")) == num_blobs


def test_a_full_disk_is_refused_before_anything_is_written(
    converted: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "disk_room", lambda folder: Room(free=1, total=1 << 40))

    with pytest.raises(DiskFull, match="free space, then run again: nothing was written"):
        run(converted.inputs, converted.world)

    assert converted.scratch_is_empty()
