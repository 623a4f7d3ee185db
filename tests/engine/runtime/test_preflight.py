"""The estimate before a generation: against a real one, and that it behaves."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from magi_engine.config.registry import Registry
from magi_engine.errors import InvalidRequestError, ModelNotFoundError
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.events import ChunkReady, StageStarted
from magi_engine.runtime.machine import MachineFacts
from magi_engine.runtime.preflight import (
    AdviceKind,
    Preflight,
    Shortage,
    estimate,
    estimate_model,
)
from magi_engine.runtime.request import GenerationRequest, Mode, PromptChange, SamplingOverrides
from magi_engine.runtime.speeds import Speed, Speeds
from magi_engine.weights.layout import find_model

GB = 1_000_000_000
CARD = MachineFacts(
    device="cuda:0",
    device_name="NVIDIA GeForce RTX 4090",
    processor="a processor",
    cores=8,
    vram_total_bytes=24 * GB,
    vram_free_bytes=23 * GB,
    ram_total_bytes=64 * GB,
    ram_free_bytes=50 * GB,
    disk_free_bytes=500 * GB,
    fp8_in_hardware=True,
)
LAPTOP = dataclasses.replace(
    CARD,
    device="cpu",
    device_name="a processor",
    vram_total_bytes=None,
    vram_free_bytes=None,
    ram_total_bytes=16 * GB,
    ram_free_bytes=12 * GB,
    fp8_in_hardware=False,
)


def request(**changes: object) -> GenerationRequest:
    usual = GenerationRequest(
        mode=Mode.T2V, model="4.5B-distill-fp8", width=720, height=720, num_frames=96
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def with_window(window: int, steps: int = 16) -> SamplingOverrides:
    return SamplingOverrides(num_steps=steps, window_size=window)


def estimated(tmp_path: Path, facts: MachineFacts = CARD, **changes: object) -> Preflight:
    return estimate(request(**changes), facts, cache_dir=tmp_path)


def with_vram(gigabytes: int) -> MachineFacts:
    return dataclasses.replace(
        CARD, vram_total_bytes=gigabytes * GB, vram_free_bytes=gigabytes * GB
    )


def test_more_takes_more(tmp_path: Path) -> None:
    card = with_vram(200)  # everything stays on it
    usual = estimated(tmp_path, card)
    assert usual.vram_bytes
    assert usual.seconds
    assert usual.first_chunk_s
    for more in (
        {"width": 960},
        {"height": 960},
        {"model": "4.5B-distill"},
        {"model": "24B-distill-fp8"},
    ):
        larger = estimated(tmp_path, card, **more)
        assert larger.vram_bytes
        assert larger.seconds
        assert larger.first_chunk_s
        assert larger.vram_bytes > usual.vram_bytes
        assert larger.seconds > usual.seconds
        assert larger.first_chunk_s > usual.first_chunk_s
    narrow = estimated(tmp_path, card, sampling=with_window(1))
    assert narrow.first_chunk_s
    assert narrow.first_chunk_s < usual.first_chunk_s
    more_steps = estimated(tmp_path, card, sampling=with_window(4, 32))
    assert more_steps.vram_bytes == usual.vram_bytes
    assert more_steps.seconds
    assert more_steps.seconds > 1.5 * usual.seconds


def test_length_costs_time_and_disk_but_no_memory(tmp_path: Path) -> None:
    four, eight = (
        estimated(tmp_path, num_frames=frames, output=str(tmp_path / "a.mp4"))
        for frames in (240, 480)
    )
    assert eight.vram_bytes == four.vram_bytes
    assert eight.first_chunk_s == four.first_chunk_s
    assert eight.seconds
    assert four.seconds
    assert eight.seconds > 1.5 * four.seconds
    assert eight.disk_bytes == 2 * four.disk_bytes > 0
    endless = estimated(tmp_path, num_frames=None)
    assert endless.seconds is None
    assert endless.first_chunk_s == four.first_chunk_s


@pytest.mark.parametrize("entry", Registry.load().entries, ids=lambda entry: entry.name)
@pytest.mark.parametrize("facts", [CARD, LAPTOP], ids=["card", "laptop"])
def test_advice_is_worth_following(entry, facts: MachineFacts, tmp_path: Path) -> None:
    whole = estimate_model(entry, facts, cache_dir=tmp_path)
    assert whole.fits == (not whole.problem)
    asked = request(model=entry.name, width=1280, height=720)
    if entry.name.startswith("pocket"):
        asked = dataclasses.replace(asked, width=128, height=128)
    found = estimate(asked, facts, cache_dir=tmp_path)
    for advice in found.advice:
        assert advice.sentence
        assert estimate(advice.applied(asked), facts, cache_dir=tmp_path).fits


def test_what_a_4_gb_card_is_told(tmp_path: Path) -> None:
    found = estimated(tmp_path, with_vram(4), width=1280)
    assert found.shortage is Shortage.VRAM
    assert "GB" in found.problem
    kinds = [advice.kind for advice in found.advice]
    assert AdviceKind.SMALLER in kinds
    smaller = next(a for a in found.advice if a.kind is AdviceKind.SMALLER)
    assert smaller.width
    assert smaller.height
    assert smaller.width / smaller.height == pytest.approx(1280 / 720, rel=0.1)


def test_a_model_larger_than_the_card_is_streamed(tmp_path: Path) -> None:
    found = estimated(tmp_path, with_vram(23), model="24B-distill-fp8")
    assert found.fits
    assert found.placement.streamed_layers
    assert found.placement.streams
    assert found.vram_bytes == found.placement.device_bytes <= 23 * GB
    assert found.ram_bytes > estimated(tmp_path, with_vram(200), model="24B-distill-fp8").ram_bytes


def test_a_full_disk_asks_for_a_shorter_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from magi_engine.runtime import preflight

    monkeypatch.setattr(preflight, "disk_free_bytes", lambda _folder: 1_000_000)
    found = estimated(tmp_path, output=str(tmp_path / "a.mp4"), width=128, height=128)
    assert found.shortage is None, "four seconds of a small picture fit into a megabyte"
    found = estimated(tmp_path, output=str(tmp_path / "a.mp4"), width=480, height=480)
    assert found.shortage is Shortage.DISK
    (shorter,) = found.advice
    assert shorter.kind is AdviceKind.SHORTER
    assert shorter.num_frames
    assert shorter.num_frames < 96


def test_what_cannot_work_is_refused_as_the_job_would(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError):
        estimated(tmp_path, width=721)
    with pytest.raises(ModelNotFoundError):
        estimated(tmp_path, model="none")


def test_the_second_generation_is_predicted(tmp_path: Path) -> None:
    """After one video of another length and window, the next one is known within 30 %."""
    try:
        find_model("pocket")
    except ModelNotFoundError:
        pytest.skip("the pocket model is not here")
    engine = Engine(cache_dir=tmp_path)
    first = GenerationRequest(
        mode=Mode.T2V,
        model="pocket",
        width=128,
        height=128,
        num_frames=48,
        prompts=(PromptChange(0, "a red circle"),),
        sampling=with_window(1, 4),
        device="cpu",
        dtype="float32",
    )
    for _ in engine.generate(first):
        pass
    second = dataclasses.replace(first, num_frames=72, sampling=with_window(2, 8))
    found = estimate(second, engine.machine(), cache_dir=tmp_path)
    assert found.measured
    marks: dict[object, float] = {}
    for event in engine.generate(second):
        if isinstance(event, StageStarted):
            marks[event.stage.value] = time.monotonic()
        elif isinstance(event, ChunkReady):
            marks.setdefault("first", time.monotonic())
            marks["last"] = time.monotonic()
    tokens = 384
    facts = engine.machine()
    speed = Speeds.load(tmp_path).measured("pocket", facts.processor, "float32", tokens)
    assert speed is not None
    assert found.seconds is not None
    assert found.first_chunk_s is not None
    taken = marks["last"] - marks["sampling"]

    assert found.seconds - speed.load_s == pytest.approx(taken, rel=0.3)
    first_taken = marks["first"] - marks["sampling"]
    assert found.first_chunk_s - speed.load_s == pytest.approx(first_taken, rel=0.35)


def test_speeds_survive_damage_and_mix(tmp_path: Path) -> None:
    assert Speeds.load(tmp_path).measured("m", "d", "float32", 10) is None
    (tmp_path / "speeds.json").write_text('{"m | d | float32": {"10": {"dit_flops_per_s": 0}}}')
    assert Speeds.load(tmp_path).measured("m", "d", "float32", 10) is None
    speeds = Speeds.load(tmp_path)
    speeds.note("m", "d", "float32", 10, Speed(100.0, 10.0, 4.0))
    speeds.note("m", "d", "float32", 10, Speed(200.0, 20.0, 0.0))
    speeds.note("m", "d", "float32", 1000, Speed(900.0, 90.0, 9.0))
    speeds.save(tmp_path)
    again = Speeds.load(tmp_path)
    assert again.measured("m", "d", "float32", 12) == Speed(150.0, 15.0, 4.0)
    assert again.measured("m", "d", "float32", 500) == Speed(900.0, 90.0, 9.0)
    assert again.measured("m", "other", "float32", 500) is None
