"""Which cards a plan takes for a video, and why not more."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from magi_engine.messages import Message
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.machine.speeds import Speed, Speeds
from magi_engine.runtime.planning.plan import JobPlan, plan
from magi_engine.runtime.request.request import GenerationRequest, Mode

FOUR = MachineFacts(
    device="cuda:0",
    device_name="NVIDIA H100 80GB HBM3",
    processor="a processor",
    cores=8,
    vram_total_bytes=80_000_000_000,
    vram_free_bytes=79_000_000_000,
    ram_total_bytes=256_000_000_000,
    ram_free_bytes=250_000_000_000,
    disk_free_bytes=500_000_000_000,
    fp8_in_hardware=True,
    further_cards=("cuda:1", "cuda:2", "cuda:3"),
    card_to_card_bytes_per_s=200e9,
)


def planned(folder: Path, facts: MachineFacts = FOUR, **changes: object) -> JobPlan:
    request = GenerationRequest(Mode.T2V, "4.5B-distill-fp8", 720, 720, 96)
    return plan(dataclasses.replace(request, **changes), facts, cache_dir=folder)  # type: ignore[arg-type]


def notices(plan: JobPlan) -> list[str]:
    return [str(notice) for notice in plan.notices]


def test_one_card_unless_more_are_asked_for(tmp_path: Path) -> None:
    alone = planned(tmp_path)
    assert alone.devices == ("cuda:0",)
    assert not alone.notices


def test_more_cards_take_less_time_and_less_memory_each(tmp_path: Path) -> None:
    one, two, four = (planned(tmp_path, cards=count) for count in (1, 2, 4))
    assert two.devices == ("cuda:0", "cuda:1")
    assert four.devices == ("cuda:0", "cuda:1", "cuda:2", "cuda:3")
    # On H200, 20.5 s became 11.6 s with two and 6.6 s with four.
    assert 1.7 < one.times.denoise_s / two.times.denoise_s < 2
    assert 3 < one.times.denoise_s / four.times.denoise_s < 4
    assert one.vram_bytes
    assert two.vram_bytes
    assert two.vram_bytes < one.vram_bytes
    assert planned(tmp_path, cards=0).devices == four.devices
    assert not four.notices


@pytest.mark.parametrize(
    ("cards", "used", "why"),
    [(3, 2, "cannot be shared by 3"), (8, 4, "has 4 cards of one kind, not 8")],
)
def test_fewer_than_asked_for_is_said(tmp_path: Path, cards: int, used: int, why: str) -> None:
    fewer = planned(tmp_path, cards=cards)
    assert len(fewer.devices) == used
    assert why in notices(fewer)[0]


def test_what_would_be_slower_is_not_done(tmp_path: Path) -> None:
    slow = dataclasses.replace(FOUR, card_to_card_bytes_per_s=1e9)
    predicted = planned(tmp_path, slow, cards=2)
    assert predicted.devices == ("cuda:0",)
    assert "2 together would be slower" in notices(predicted)[0]
    tokens = 45 * 45 * 6
    speeds = Speeds({})
    for name, rate in ((FOUR.device_name, 2e14), (f"2 x {FOUR.device_name}", 1.9e14)):
        speeds.note("4.5B-distill-fp8", name, "bfloat16", tokens, Speed(rate, 1e14))
    speeds.save(tmp_path)
    measured = planned(tmp_path, cards=2)
    assert measured.devices == ("cuda:0",)
    assert "slower" in notices(measured)[0]


def test_why_there_is_no_other_card(tmp_path: Path) -> None:
    why = Message("Cards need NCCL to work together, which there is on Linux only.")
    windows = dataclasses.replace(FOUR, further_cards=(), no_further_card=why)
    alone = planned(tmp_path, windows, cards=2)
    assert alone.devices == ("cuda:0",)
    assert notices(alone) == [f"One card makes this video. {why}"]
    assert not planned(tmp_path, windows, cards=0).notices, "all there are is one"
    named = planned(tmp_path, cards=2, device="cuda:1")
    assert named.devices == ("cuda:1",)
    assert "chosen by its name" in notices(named)[0]
