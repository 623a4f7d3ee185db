"""How fast a machine is: a real measurement with a tiny model of random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from magi_engine.config.official import MagiConfig, ModelConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.messages import Message
from magi_engine.resources import resource_path
from magi_engine.runtime.process.control import Cancel, ControlBox, JobCancelled
from magi_engine.runtime.speed import measure as measuring
from magi_engine.runtime.speed.measure import measure
from magi_engine.runtime.speed.random_model import RandomModel
from magi_engine.runtime.speed.report import Measuring, SpeedReport, VideoSpeed
from magi_engine.weights.layout import FoundModel, find_model


class TinyModel(RandomModel):
    vae_config = VaeConfig(embed_dim=64, depth=1, num_heads=1, use_final_proj=True)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    config = MagiConfig.from_json(resource_path("configs", "4.5B_distill_quant_config.json"))
    runtime = replace(config.runtime_config, video_size_h=64, video_size_w=64)
    shape = ModelConfig(3, 64, 96, 4, 2, 16, caption_channels=32)
    config = replace(config, model_config=shape, runtime_config=runtime)

    def model(device: torch.device, cache_dir: Path | None) -> RandomModel:
        found = FoundModel("tiny", "Tiny", config, find_model("pocket").files, None)
        return TinyModel(found, device, torch.float32, cache_dir)

    monkeypatch.setattr(measuring, "_model", model)


def finished(budget_s: float) -> tuple[list[Measuring], SpeedReport]:
    told, steps = list[Measuring](), measure(ControlBox(), "cpu", None, budget_s)
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return told, end.value


@pytest.mark.usefixtures("tiny")
def test_what_was_made_as_a_whole_is_measured() -> None:
    told, report = finished(budget_s=1e6)
    shares = [event.share for event in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    assert report.model == "tiny"
    assert report.random_weights
    assert [(v.num_steps, v.frames, v.made, v.estimated) for v in report.videos] == [
        (8, 96, 1.0, False),
        (16, 96, 1.0, False),
    ]
    for video in report.videos:
        assert video.frames_per_s == video.frames / video.seconds > 0
        assert video.floor_s > 0


@pytest.mark.usefixtures("tiny")
def test_what_takes_too_long_is_an_estimate_and_says_so() -> None:
    _, report = finished(budget_s=0.0)
    for video in report.videos:
        # A step at least; a second is the least each video gets.
        assert 0 < video.made <= 1
        assert video.seconds > 0
    marked = replace(report, videos=(replace(report.videos[0], made=0.25, seconds=80.0),))
    assert "~80.0 s (~1.2 frames/s" in marked.to_text()
    assert "25% computed" in marked.to_text()
    assert "~ is an estimate" in marked.to_text()
    assert json.loads(marked.to_json())["videos"][0]["estimated"] is True


@pytest.mark.usefixtures("tiny")
def test_it_can_be_cancelled() -> None:
    box = ControlBox()
    steps = measure(box, "cpu", None)
    next(steps)
    box.send(Cancel())
    with pytest.raises(JobCancelled):
        next(steps)


def test_a_video_that_does_not_fit_is_named() -> None:
    video = VideoSpeed(720, 720, 16, 4, 96, problem="does not fit on this graphics card")
    report = SpeedReport(
        "1", "2026-11-28", "Card", "System", "2.11", "4.5B", True, "PyTorch",
        str(Message("NVRTC is missing")), "cuDNN", 1e12, 1e12, 1e12, (video,),
    )  # fmt: skip
    text = report.to_text()
    assert "720x720, 16 steps, 96 frames: does not fit on this graphics card" in text
    assert "Not the fast kernels: NVRTC is missing" in text
    assert "estimate" not in text
    assert json.loads(report.to_json())["videos"][0]["frames_per_s"] is None
