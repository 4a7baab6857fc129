"""python -m ratchet.convert.export MODEL MODEL_SHA256 OUT SETTINGS: a merged model becomes a LiteRT bundle.

Runs contained (see contained.py). SETTINGS is the JSON of ConvertSettings. OUT appears whole or not at all.
"""

import shutil
import sys
import types
from pathlib import Path

from ratchet.convert.bundle import TFLITE, write_bundle
from ratchet.convert.contract import ConvertSettings


def main(model: Path, model_sha256: str, out: Path, settings: ConvertSettings) -> None:
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _export_tflite(model, unfinished, settings)
    write_bundle(model, model_sha256, unfinished, settings)
    unfinished.rename(out)


def _export_tflite(model: Path, folder: Path, settings: ConvertSettings) -> None:
    _stub_image_generation()
    from litert_torch.generative.export_hf.export import export

    raw = folder / "raw"
    export(
        model=str(model),
        output_dir=str(raw),
        prefill_lengths=[settings.prefill_length],
        cache_length=settings.cache_length,
        quantization_recipe=settings.quantization,
        bundle_litert_lm=False,  # its bundles name a sampler that the runtime does not have; see bundle.py
        keep_temporary_files=True,
    )
    (raw / "model_quantized.tflite").rename(folder / TFLITE)
    shutil.rmtree(raw)


def _stub_image_generation() -> None:
    """litert-torch 0.10 imports an image-generation model, and with it tensorflow, on the way to language models."""
    # TODO: drop once `import litert_torch.generative.export_hf.export` works without tensorflow.
    name = "litert_torch.generative.export_hf.model_ext.bonsai_flux2.bonsai_flux2"
    stub = types.ModuleType(name)
    stub.BonsaiFlux2 = type("BonsaiFlux2", (), {})  # type: ignore[attr-defined]
    sys.modules[name] = stub


if __name__ == "__main__":
    _model, _sha256, _out, _settings = sys.argv[1:]
    main(Path(_model), _sha256, Path(_out), ConvertSettings.model_validate_json(_settings))
