"""Which graphics card of several is taken; the machines are stated, not there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from magi_engine.errors import DeviceError
from magi_engine.json_text import read_fields, to_fields
from magi_engine.runtime import engine as engine_module
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.machine.devices import Card, best_card, choose_device, usable_devices
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.request.request import GenerationRequest, Mode

GB = 10**9
RTX_4090 = Card("cuda:0", "NVIDIA GeForce RTX 4090", 24 * GB, (8, 9), 128)
RTX_3090 = Card("cuda:0", "NVIDIA GeForce RTX 3090", 24 * GB, (8, 6), 82)
RTX_3060 = Card("cuda:0", "NVIDIA GeForce RTX 3060", 12 * GB, (8, 6), 28)
RTX_2080 = Card("cuda:0", "NVIDIA GeForce RTX 2080", 8 * GB, (7, 5), 46)
RTX_5090 = Card("cuda:0", "NVIDIA GeForce RTX 5090", 32 * GB, (12, 0), 170)
GTX_1080 = Card("cuda:0", "NVIDIA GeForce GTX 1080", 8 * GB, (6, 1), 20)
A100 = Card("cuda:0", "NVIDIA A100", 40 * GB, (8, 0), 108)
H100 = Card("cuda:0", "NVIDIA H100", 80 * GB, (9, 0), 132)
BETTER = [H100, RTX_5090, RTX_4090, A100, RTX_3090, RTX_3060, RTX_2080, GTX_1080]
FACTS = MachineFacts(
    "cuda:1", RTX_4090.name, "CPU", 8, 24 * GB, 23 * GB, 64 * GB, 60 * GB, 500 * GB, True
)  # fmt: skip


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small one, and a large one that PyTorch numbers 1."""
    there = (RTX_3060, RTX_4090)

    def properties(index: int) -> SimpleNamespace:
        card = there[index]
        major, minor = card.capability
        return SimpleNamespace(
            name=card.name,
            total_memory=card.total_bytes,
            major=major,
            minor=minor,
            multi_processor_count=card.multiprocessors,
        )

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(there))
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)


@pytest.mark.parametrize("index", range(len(BETTER) - 1))
def test_the_faster_card_is_the_better_one(index: int) -> None:
    better, worse = BETTER[index : index + 2]
    assert best_card([worse, better]) is better
    assert best_card([better, worse]) is better


def test_of_equals_it_is_that_with_more_memory_and_then_the_first() -> None:
    more = dataclasses.replace(RTX_3090, device="cuda:1", total_bytes=48 * GB)
    same = dataclasses.replace(RTX_3090, device="cuda:2")
    assert best_card([RTX_3090, more, same]) is more
    assert best_card([RTX_3090, same]) is RTX_3090


@pytest.mark.usefixtures("two_cards")
def test_the_better_card_is_taken_unless_one_is_named() -> None:
    assert str(choose_device("auto")) == "cuda:1"
    assert str(choose_device("cuda")) == "cuda:1"
    assert str(choose_device("cuda:0")) == "cuda:0"
    assert str(usable_devices()[0]) == "cuda:1"
    with pytest.raises(DeviceError):
        choose_device("cuda:2")


@pytest.mark.usefixtures("two_cards")
def test_a_job_is_planned_for_the_card_it_runs_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = dataclasses.replace(
        FACTS, device="cuda:0", device_name=RTX_3060.name, vram_total_bytes=12 * GB,
        vram_free_bytes=6 * GB, fp8_in_hardware=False,
    )  # fmt: skip

    def look(_folder: Path, _vram: int, _ram: int, wanted: str) -> MachineFacts:
        return small if wanted == "cuda:0" else FACTS

    monkeypatch.setattr(engine_module, "look_around", look)
    engine = Engine(tmp_path / "models", tmp_path / "cache", tmp_path / "takes")
    plans = {}
    for device in ("auto", "cuda:1", "cuda:0"):
        request = GenerationRequest(
            mode=Mode.T2V,
            num_frames=96,
            model="4.5B-distill-fp8",
            width=720,
            height=720,
            device=device,
        )
        plans[device] = engine.plan(request)
    assert [plan.device for plan in plans.values()] == ["cuda:1", "cuda:1", "cuda:0"]
    assert plans["auto"].vram_bytes == plans["cuda:1"].vram_bytes
    assert (plans["cuda:0"].vram_bytes or 0) < (plans["auto"].vram_bytes or 0)
    assert plans["cuda:0"].times.denoise_s > plans["auto"].times.denoise_s


def test_the_cards_cross_to_another_machine() -> None:
    facts = dataclasses.replace(FACTS, cards=(("cuda:0", "A"), ("cuda:1", "B")))
    assert read_fields(MachineFacts, to_fields(facts)) == facts
