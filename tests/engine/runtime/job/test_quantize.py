"""Making an fp8 model with a tiny one: calibration, closeness, and the command."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from magi_engine.cli.main import main
from magi_engine.config.official import EngineConfig, MagiConfig
from magi_engine.config.registry import Registry
from magi_engine.errors import DiskFullError
from magi_engine.media.frames import decode_frames
from magi_engine.runtime.job import quantize as quantizing
from magi_engine.runtime.job.quantize import (
    QuantizationStep,
    calibrate,
    calibration_captions,
    quantize_model,
)
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.planning.quantization import measured_steps
from magi_engine.runtime.request.request import DEFAULT_SPECIAL_TOKENS
from magi_engine.sampling.cache import attend_alone
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.training.caption_batches import CaptionBatch
from magi_engine.training.captions import describe_batch
from magi_engine.training.data import encode_clips
from magi_engine.training.world import sample_scenes
from magi_engine.weights.layout import entry_paths, find_model
from magi_engine.weights.quantize import InputRecorder, Inputs, fp8_linears, input_name

LAYERS = 4
FOLDER = "inference_weight.fp8.distill"
CAPTIONS = ("a red circle moves left", "two green stars spin")


@pytest.fixture(scope="module")
def config_path(
    tiny_model_config: Path, make_dit, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny model with a deeper transformer, since the outer layers are never quantised."""
    root = tmp_path_factory.mktemp("deeper")
    shutil.copytree(tiny_model_config.parent, root, dirs_exist_ok=True)
    config = MagiConfig.from_json(root / tiny_model_config.name)
    model_config = dataclasses.replace(config.model_config, num_layers=LAYERS)
    dit = make_dit(seed=8, **dataclasses.asdict(model_config))
    save_file(dit.state_dict(), root / "dit" / "inference_weight.distill" / "model.safetensors")
    return write_config(
        root / "deeper.json", dataclasses.replace(config, model_config=model_config)
    )


def write_config(path: Path, config: MagiConfig) -> Path:
    path.write_text(json.dumps(config.to_dict()))
    return path


def fp8_config(config_path: Path) -> Path:
    config = MagiConfig.from_json(config_path)
    engine = dataclasses.replace(config.engine_config, fp8_quant=True)
    path = config_path.with_name("fp8.json")
    return write_config(path, dataclasses.replace(config, engine_config=engine))


def load(config_path: Path) -> LoadedModel:
    return LoadedModel(find_model(config_path), torch.device("cpu"), torch.float32)


def sample(model: LoadedModel) -> Tensor:
    """Latents of two chunks, (2, 16, T, h, w)."""
    caption = model.text.encode("a blue square moves up").embedding
    events = Sampler(model.dit, SamplerSettings.from_config(model.found.config)).sample(
        height=4,
        width=6,
        captions=model.caption_track(caption, DEFAULT_SPECIAL_TOKENS),
        noise=SeededNoise(11),
        num_chunks=2,
    )
    return torch.cat([event.latents for event in events if isinstance(event, ChunkDone)])


def test_the_weights_generate_nearly_the_same(
    config_path: Path, relative_error, tmp_path: Path
) -> None:
    quantize_model(load(config_path), config_path.parent / "dit" / FOLDER, CAPTIONS)
    quantised = fp8_config(config_path)
    error = relative_error(sample(load(quantised)), sample(load(config_path)))
    assert 0 < error < 0.1
    video = tmp_path / "out.mp4"
    options = ["--config", str(quantised), "--prompt", "a red circle", "--seed", "1"]
    options += ["--device", "cpu", "--seconds", "1", "-o", str(video)]
    assert main(["generate", *options]) == 0
    assert sum(1 for _ in decode_frames(video)) == 24


def test_a_stopped_quantisation_does_not_calibrate_again(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_when_calibrated(what: QuantizationStep, fraction: float) -> None:
        if what is QuantizationStep.WRITING and fraction > 0.25:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        quantize_model(load(config_path), tmp_path, CAPTIONS, stop_when_calibrated)
    monkeypatch.delattr(quantizing, "calibrate")
    path = quantize_model(load(config_path), tmp_path, CAPTIONS)
    assert {p.name for p in tmp_path.iterdir()} == {path.name, "source.json"}


def mapped_below(folder: Path) -> list[str]:
    """Files of a folder that this process has in its memory; where the system does not say, none:
    there replacing one fails."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text(encoding="utf-8").splitlines() if maps.exists() else []
    return [line for line in lines if str(folder) in line]


def test_a_stopped_calibration_goes_on_with_the_next_caption(
    config_path: Path, tmp_path: Path
) -> None:
    whole = quantize_model(load(config_path), tmp_path / "whole", CAPTIONS).read_bytes()

    def stop_in_the_second(what: QuantizationStep, fraction: float) -> None:
        if what is QuantizationStep.CALIBRATING and fraction > 0.6:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        quantize_model(load(config_path), tmp_path / "cut", CAPTIONS, stop_in_the_second)
    told: list[float] = []

    def listen(what: QuantizationStep, fraction: float) -> None:
        if what is QuantizationStep.CALIBRATING:
            told.append(fraction)
            # What is to be replaced after this caption; Windows replaces no file that is mapped.
            assert mapped_below(tmp_path / "cut") == []

    path = quantize_model(load(config_path), tmp_path / "cut", CAPTIONS, listen)
    assert told[0] > 0.5, "the first caption was not measured again"
    assert path.read_bytes() == whole


def test_what_is_there_already_is_not_made_again(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = quantize_model(load(config_path), tmp_path, CAPTIONS)
    before = path.stat().st_mtime_ns
    (tmp_path / "source.json").unlink()
    monkeypatch.delattr(quantizing, "_make")
    assert quantize_model(load(config_path), tmp_path, ("another caption",)) == path
    assert path.stat().st_mtime_ns == before
    assert (tmp_path / "source.json").is_file()


def test_a_full_disk_is_known_before_anything_is_measured(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("magi_engine.disk.shutil.disk_usage", lambda _path: usage)
    monkeypatch.delattr(quantizing, "calibrate")
    with pytest.raises(DiskFullError, match="GB of room are needed"):
        quantize_model(load(config_path), tmp_path, CAPTIONS)


def measured(
    model: LoadedModel, captions: tuple[str, ...], told: list[float] | None = None
) -> Mapping[str, Inputs]:
    """All that calibration hears of some captions."""
    heard = [] if told is None else told
    *_, inputs = calibrate(model, captions, lambda _what, fraction: heard.append(fraction))
    return inputs


def test_calibration_hears_all_steps_of_a_distilled_model(config_path: Path) -> None:
    model = load(config_path)
    told: list[float] = []
    inputs = measured(model, CAPTIONS, told)
    linears = fp8_linears(model.found.config.model_config)
    assert inputs.keys() == {input_name(name) for name in linears}
    peaks = {name: heard.peaks for name, heard in inputs.items()}
    assert all(peak.isfinite().all() and (peak > 0).any() for peak in peaks.values())
    steps = 2 * len(CAPTIONS) * 4  # two chunks of four steps each
    assert told == pytest.approx([(i + 1) / steps for i in range(steps)])
    fewer = measured(model, CAPTIONS[:1])
    assert all((fewer[name].peaks <= peak).all() for name, peak in peaks.items())
    assert any((fewer[name].peaks < peak).any() for name, peak in peaks.items())


@pytest.mark.parametrize(
    ("distill", "num_steps", "expected"),
    [(False, 64, range(12, 32)), (False, 32, range(6, 16)), (True, 16, range(16))],
)
def test_base_models_are_measured_in_the_middle_of_their_schedule(
    config_path: Path, distill: bool, num_steps: int, expected: range
) -> None:
    config = MagiConfig.from_json(config_path)
    config = dataclasses.replace(
        config,
        runtime_config=dataclasses.replace(config.runtime_config, num_steps=num_steps),
        engine_config=dataclasses.replace(config.engine_config, distill=distill),
    )
    assert measured_steps(config) == expected


def test_only_the_measured_steps_of_a_base_model_count(config_path: Path) -> None:
    config = MagiConfig.from_json(config_path)
    runtime = dataclasses.replace(config.runtime_config, cfg_number=3, num_steps=8)
    distilled = load(config_path)
    base = dataclasses.replace(
        distilled.found,
        config=dataclasses.replace(config, runtime_config=runtime, engine_config=EngineConfig()),
    )
    model = LoadedModel(base, torch.device("cpu"), torch.float32)
    inputs = measured(model, CAPTIONS[:1])
    with InputRecorder(model.dit, fp8_linears(config.model_config)) as everything:
        everything.recording = True
        again = measured(model, CAPTIONS[:1])
    peaks = {name: heard.peaks for name, heard in inputs.items()}
    loudest = {name: measured.peaks for name, measured in everything.inputs.items()}
    assert all(torch.equal(again[name].peaks, peak) for name, peak in peaks.items())
    assert all((peak <= loudest[name]).all() for name, peak in peaks.items())
    assert any((peak < loudest[name]).any() for name, peak in peaks.items())


def test_the_pocket_model_in_fp8_has_nearly_the_same_velocities(tmp_path: Path) -> None:
    made, source = Registry.load().find("pocket-fp8"), find_model("pocket")
    cpu = torch.device("cpu")
    folder = entry_paths(made, tmp_path).transformer
    whole = LoadedModel(source, cpu, torch.float32)
    scenes = sample_scenes(2, torch.Generator().manual_seed(1))
    clean = encode_clips(whole.vae, scenes, chunks=1)
    captions = describe_batch(scenes, 0, random.Random(3))
    # Four steps are heard instead of sixteen, which tells the same of a layer's inputs.
    runtime = dataclasses.replace(source.config.runtime_config, num_steps=4)
    few = dataclasses.replace(
        source, config=dataclasses.replace(source.config, runtime_config=runtime)
    )
    quantize_model(LoadedModel(few, cpu, torch.float32), folder, calibration_captions(made)[:1])
    exact, quantised = (
        LoadedModel(f, cpu, torch.bfloat16) for f in (source, find_model(made.name, tmp_path))
    )
    wanted = velocities(exact, clean, captions)
    errors = (velocities(quantised, clean, captions) - wanted).flatten(1).norm(dim=1)
    # Of steps, not of their sum: how latents differ after 16 of them is half chance. What rounding
    # the weights well is worth shows in single layers, not here. The weights that ship since the
    # training from nothing give 0.0766.
    assert 0 < float((errors / wanted.flatten(1).norm(dim=1)).mean()) < 0.083


def velocities(model: LoadedModel, clean: Tensor, captions: list[str]) -> Tensor:
    """Of chunks (N, 16, T, h, w), each at several times of its way from noise: (4 N, ...)."""
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))
    found = []
    for index, text in enumerate(captions):
        caption = model.text.encode(text).embedding[None]
        for time in (0.02, 0.2, 0.5, 0.9):
            velocity = model.dit(
                (time * clean + (1 - time) * noise)[index : index + 1],
                torch.tensor([[time]]),
                CaptionBatch(caption, (caption.shape[1],)),
                chunk_positions=[0],
                attend=attend_alone,
                step_code=torch.tensor(8.0),
            )
            found.append(velocity.detach())
    return torch.cat(found)
