"""An fp8 copy of a downloaded model: made as a task, stopped, gone on with, and then used.

The model has the place and the entry of a released one, and the shape of a tiny one.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file

from magi_engine.config import registry
from magi_engine.config.official import EngineConfig, MagiConfig
from magi_engine.config.registry import Registry
from magi_engine.errors import InvalidRequestError, ModelNotFoundError
from magi_engine.install import performing
from magi_engine.install.performing import Performer
from magi_engine.install.status import ModelState, model_statuses
from magi_engine.install.tasks import Download, Make, Phase, TaskEvent, TaskProgress
from magi_engine.media.frames import decode_frames
from magi_engine.resources import resource_path
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job import quantize
from magi_engine.runtime.job.events import Finished
from magi_engine.runtime.machine.facts import look_around
from magi_engine.runtime.planning.quantization import estimate_quantization
from magi_engine.runtime.process.control import Cancel, ControlBox, JobCancelled
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.weights import layout
from magi_engine.weights.layout import entry_paths, find_model, needed_files
from magi_engine.weights.manifest import Manifest

SOURCE, COPY = "4.5B-base", "4.5B-base-fp8"


@pytest.fixture
def models(
    tiny_model_config: Path, make_dit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder of models with the tiny one in the place of ``SOURCE``."""
    tiny = MagiConfig.from_json(tiny_model_config)
    model = dataclasses.replace(tiny.model_config, num_layers=4)
    runtime = dataclasses.replace(tiny.runtime_config, cfg_number=3, num_steps=8)
    configs = {}
    for name, fp8 in ((SOURCE, False), (COPY, True)):
        config = dataclasses.replace(
            tiny,
            model_config=model,
            runtime_config=runtime,
            engine_config=EngineConfig(fp8_quant=fp8),
        )
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(config.to_dict()))
        configs[Registry.load().find(name).config] = path
    for module in (layout, registry):
        monkeypatch.setattr(
            module, "resource_path", lambda *parts: configs.get(parts[0], resource_path(*parts))
        )
    monkeypatch.setattr(quantize, "calibration_captions", lambda _entry: ("a ball", "two stars"))
    folder = tmp_path / "models"
    files = entry_paths(Registry.load().find(SOURCE), folder)
    shutil.copytree(tiny_model_config.parent / "vae", files.autoencoder)
    shutil.copytree(tiny_model_config.parent / "t5", files.text_encoder)
    shutil.copy(tiny_model_config.parent / "special_tokens.npz", files.special_tokens)
    files.transformer.mkdir(parents=True)
    dit = make_dit(seed=8, **dataclasses.asdict(model))
    save_file(dit.state_dict(), files.transformer / "model.safetensors")
    manifest = Manifest.load(folder)
    for path in needed_files(Registry.load().find(SOURCE), folder):
        manifest.note(manifest.key(path), "0", "a test")
    return folder


def make(models: Path, stop: Callable[[TaskProgress], bool] | None = None) -> list[Phase]:
    """Make the copy, or cancel when ``stop`` says so; the phases it went through."""
    box = ControlBox()
    phases: list[Phase] = []

    def listen(event: TaskEvent) -> None:
        if isinstance(event, TaskProgress):
            phases.append(event.phase)
            if stop is not None and stop(event):
                box.send(Cancel())

    if stop is None:
        done = Performer(models, listen, box).perform(Make(COPY))
        assert str(done.message) == "MAGI-1 4.5B base fp8 is ready."
    else:
        with pytest.raises(JobCancelled):
            Performer(models, listen, box).perform(Make(COPY))
    return list(dict.fromkeys(phases))


def state(models: Path) -> ModelState:
    return next(s.state for s in model_statuses(models) if s.entry.name == COPY)


def test_it_is_made_and_then_is_a_model_of_its_own(models: Path, tmp_path: Path) -> None:
    assert state(models) is ModelState.TO_MAKE
    assert make(models) == [Phase.READING, Phase.CALIBRATING, Phase.QUANTISING]
    assert state(models) is ModelState.READY
    output = tmp_path / "out.mp4"
    request = GenerationRequest(
        mode=Mode.T2V,
        model=COPY,
        width=48,
        height=32,
        num_frames=24,
        prompts=(PromptChange(0, "a red circle"),),
        device="cpu",
        output=str(output),
    )
    *_, last = Engine(models, tmp_path / "cache").generate(request)
    assert isinstance(last, Finished), last
    assert sum(1 for _ in decode_frames(output)) == 24


def test_cancelled_at_any_phase_it_ends_the_same(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performing, "_TICK_S", 0.0)  # else a quick phase is over unseen
    make(models)
    path = find_model(COPY, models).files.transformer / "model.safetensors"
    whole = path.read_bytes()
    for phase in (Phase.READING, Phase.CALIBRATING, Phase.QUANTISING):
        shutil.rmtree(path.parent)

        def in_the_middle(event: TaskProgress, phase: Phase = phase) -> bool:
            return event.phase is phase and event.done_bytes > 0.5 * event.total_bytes > 0

        make(models, in_the_middle)
        assert state(models) is ModelState.TO_MAKE
        make(models)
        assert path.read_bytes() == whole


def test_a_damaged_one_is_made_again(models: Path) -> None:
    make(models)
    path = find_model(COPY, models).files.transformer / "model.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:-1000], whole[:50], b""):
        path.write_bytes(damaged)
        with pytest.raises(ModelNotFoundError, match="is damaged") as raised:
            find_model(COPY, models)
        assert f"magi models quantize {COPY}" in str(raised.value.hint)
        assert state(models) is ModelState.TO_MAKE
    make(models)
    assert path.read_bytes() == whole


def test_it_is_made_and_not_downloaded(models: Path) -> None:
    with pytest.raises(InvalidRequestError, match="is made on this machine") as raised:
        Performer(models, lambda _event: None, ControlBox()).perform(Download(COPY))
    assert "magi models quantize 4.5B-base-fp8" in str(raised.value.hint)


def test_what_it_takes_is_known_before(tmp_path: Path) -> None:
    facts = look_around(tmp_path)
    entries = Registry.load().entries
    estimates = {
        e.name: estimate_quantization(e, facts, tmp_path, tmp_path) for e in entries if e.made_from
    }
    small, large = estimates["4.5B-distill-fp8-made"], estimates["24B-distill-fp8-made"]
    assert small.disk_bytes == pytest.approx(5.1e9, rel=0.02)
    assert large.disk_bytes == pytest.approx(26e9, rel=0.1)
    assert small.room_bytes == pytest.approx(10.2e9, rel=0.02), "with what is measured"
    assert large.seconds > small.seconds > estimates["pocket-fp8"].seconds > 0
    assert estimates["4.5B-base-fp8"].seconds > 2 * small.seconds
    card = dataclasses.replace(facts, device="cuda:0", device_name="NVIDIA H100 80GB HBM3")
    entry = Registry.load().find("4.5B-distill-fp8-made")
    assert estimate_quantization(entry, card, tmp_path, tmp_path).seconds < small.seconds / 20
