"""What the next video will take, by the engine's own estimate."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.engine_thread import EngineThread
from magi_desktop.panels.preflight_line import PreflightLine
from magi_desktop.state.draft import Draft
from magi_desktop.state.machine import MachineState
from magi_engine.runtime.host import EngineProcess
from magi_engine.runtime.machine import MachineFacts
from magi_engine.runtime.preflight import Preflight, estimate
from magi_engine.runtime.request import GenerationRequest
from tests.desktop.accessibility import faults

CARD = MachineFacts(
    device="cuda:0",
    device_name="NVIDIA GeForce RTX 4090",
    processor="AMD Ryzen 9",
    cores=16,
    vram_total_bytes=24_000_000_000,
    vram_free_bytes=23_000_000_000,
    ram_total_bytes=64_000_000_000,
    ram_free_bytes=60_000_000_000,
    disk_free_bytes=500_000_000_000,
    fp8_in_hardware=True,
)


class Bench:
    """The line, a draft and a machine whose numbers the test gives."""

    def __init__(self, qtbot: QtBot, models_dir: Path) -> None:
        self.qtbot = qtbot
        self.draft = Draft()
        self.engine = EngineThread(EngineProcess())  # never started
        self.machine = MachineState(self.engine)
        self.line = PreflightLine(self.draft, self.machine, lambda: models_dir, models_dir)
        qtbot.addWidget(self.line)

    def show(self, facts: MachineFacts) -> Preflight:
        """Let the machine be this one, and wait for the estimate."""
        self.line.outcome = None
        self.engine.looked.emit(facts)
        return self.wait()

    def text(self) -> str:
        """What the line says."""
        return self.line.label.text().replace("\N{NO-BREAK SPACE}", " ")

    def wait(self) -> Preflight:
        """Until there is an estimate again."""
        self.qtbot.waitUntil(lambda: self.line.outcome is not None)
        assert self.line.outcome is not None
        return self.line.outcome


def too_small(request: GenerationRequest) -> MachineFacts:
    """The largest of some cards that is too small for a request, but not if it changes."""
    for tenths in range(300, 10, -5):
        facts = dataclasses.replace(CARD, vram_free_bytes=tenths * 100_000_000)
        if estimate(request, facts).advice:
            return facts
    pytest.fail("it fits everywhere")


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path) -> Bench:
    return Bench(qtbot, tmp_path)


def test_nothing_is_said_before_the_machine_is_known(bench: Bench) -> None:
    bench.qtbot.wait(400)
    assert bench.line.isHidden()


def test_memory_and_disk_follow_the_settings(bench: Bench) -> None:
    bench.draft.set(model="4.5B-distill-fp8", width=320, height=320, seconds=2.0)
    before = bench.show(CARD)
    assert not bench.line.isHidden()
    assert "of 24 GB graphics memory" in bench.text()
    assert "of 64 GB memory" in bench.text()
    assert "on disk" in bench.text()
    bench.line.outcome = None
    bench.draft.set(seconds=8.0)
    assert bench.wait().disk_bytes > before.disk_bytes


def test_a_guessed_time_is_called_one(bench: Bench) -> None:
    bench.draft.set(model="4.5B-distill-fp8", width=320, height=320)
    found = bench.show(CARD)
    assert not found.measured
    assert bench.text().startswith("roughly ")
    assert "Guessed" in bench.line.label.toolTip()
    measured = dataclasses.replace(found, measured=True, seconds=75.0)
    bench.line._show(CARD, measured)
    assert bench.text().startswith("about 1 min 15 s")
    assert "Guessed" not in bench.line.label.toolTip()
    endless = dataclasses.replace(measured, seconds=None, chunk_s=3.0)
    bench.line._show(CARD, endless)
    assert bench.text().startswith("a chunk every 3 s")


def test_what_the_time_consists_of(bench: Bench) -> None:
    bench.draft.set(model="4.5B-distill-fp8", width=320, height=320)
    bench.draft.set_prompt("a lighthouse at dusk")
    found = bench.show(CARD)
    lines = bench.line.label.toolTip().splitlines()
    assert lines[0].startswith("Reading the prompt: ")
    assert any(line.startswith("Getting it up to speed: 14 s") for line in lines)
    times = dataclasses.replace(found.times, text_s=0.0, load_s=0.0, warm_up_s=0.0)
    bench.line._show(CARD, dataclasses.replace(found, times=times))
    assert bench.line.label.toolTip().startswith("Denoising: ")


def test_without_a_card_it_is_the_machines_memory(bench: Bench) -> None:
    facts = dataclasses.replace(CARD, device="cpu", vram_total_bytes=None, vram_free_bytes=None)
    bench.show(facts)
    assert "of 64 GB memory" in bench.text()


def test_what_does_not_fit_comes_with_a_change_that_does(bench: Bench) -> None:
    bench.draft.set(model="4.5B-distill")
    line = bench.line
    assert not bench.show(too_small(bench.draft.request())).fits
    assert line.label.property("role") == "warning"
    assert line.advice_buttons
    line.show()
    assert faults(line) == []
    line.outcome = None
    line.advice_buttons[0].click()
    assert bench.wait().fits
    assert line.advice_buttons == []


def test_settings_that_cannot_work_are_left_to_the_checks(bench: Bench) -> None:
    bench.show(CARD)
    assert not bench.line.isHidden()
    bench.draft.set(width=8)
    bench.qtbot.waitUntil(bench.line.isHidden)
