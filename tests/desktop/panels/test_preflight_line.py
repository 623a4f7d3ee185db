"""What the next video will take, by the engine's own estimate."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QTextBoundaryFinder
from pytestqt.qtbot import QtBot

from magi_desktop.panels.preflight_line import _SEPARATOR, PreflightLine, _in_one_line
from magi_desktop.state.draft import Draft
from magi_desktop.state.planner import Planner
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.planning.plan import JobPlan, Pace, plan
from magi_engine.runtime.planning.timing import Times
from magi_engine.runtime.request.request import GenerationRequest
from tests.desktop.accessibility import faults
from tests.desktop.machines import FACTS, look, machine

CARD = dataclasses.replace(FACTS, vram_free_bytes=23_000_000_000, ram_free_bytes=60_000_000_000)


class Bench:
    """The line, a draft and a machine whose numbers the test gives."""

    def __init__(self, qtbot: QtBot, folder: Path, host: str = "") -> None:
        self.qtbot = qtbot
        self.draft = Draft()
        self.machine = machine(None, folder, host)
        self.planner = Planner(self.draft, self.machine._engine, lambda: folder, parent=self.draft)
        self.line = PreflightLine(self.draft, self.machine)
        qtbot.addWidget(self.line)

    def show(self, facts: MachineFacts) -> JobPlan:
        """Let the machine be this one, and wait for the plan."""
        self.draft.plan = None
        look(self.machine, facts)
        self.planner.refresh()
        return self.wait()

    def text(self) -> str:
        """What the line says."""
        return self.line.label.text().replace("\N{NO-BREAK SPACE}", " ")

    def wait(self) -> JobPlan:
        """Until the engine has answered again."""
        self.qtbot.waitUntil(lambda: self.draft.plan is not None)
        assert isinstance(self.draft.plan, JobPlan)
        return self.draft.plan


def too_small(request: GenerationRequest) -> MachineFacts:
    """The largest of some cards that is too small for a request, but not if it changes."""
    for tenths in range(300, 10, -5):
        facts = dataclasses.replace(CARD, vram_free_bytes=tenths * 100_000_000)
        if plan(request, facts).advice:
            return facts
    pytest.fail("it fits everywhere")


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path) -> Bench:
    return Bench(qtbot, tmp_path)


def test_it_says_that_it_is_estimating_until_the_engine_answers(bench: Bench) -> None:
    assert bench.text() == "Estimating …"
    bench.show(CARD)
    assert bench.text().startswith("4 s, 96 frame(s)  ·  ")


def test_it_says_which_other_computer_makes_the_video(qtbot: QtBot, tmp_path: Path) -> None:
    here, there = Bench(qtbot, tmp_path), Bench(qtbot, tmp_path, "studio.example")
    here.show(CARD)
    there.show(CARD)
    assert "made by" not in here.text()
    assert "made by studio.example" in there.text()


def test_an_answer_to_what_has_changed_is_dropped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question at a time, however fast one types; only what was asked last is shown."""
    gate, asked = threading.Event(), []
    really = bench.machine._engine.engine.plan

    def slow(request: GenerationRequest) -> JobPlan:
        asked.append(request.prompt)
        assert gate.wait(30)
        return really(request)

    monkeypatch.setattr(bench.machine._engine.engine, "plan", slow)
    shown: list[str] = []
    bench.draft.changed.connect(
        lambda name: shown.append(bench.wait().request.prompt) if name == "plan" else None
    )
    bench.draft.set_prompt("a")
    bench.qtbot.waitUntil(lambda: asked == ["a"])
    for text in ("a l", "a li", "a lighthouse"):
        bench.draft.set_prompt(text)
    gate.set()
    bench.planner._pool.waitForDone()  # the answer is there before what was typed is looked at
    bench.qtbot.waitUntil(lambda: shown != [])
    assert (asked, shown) == (["a", "a lighthouse"], ["a lighthouse"])


def test_memory_and_disk_follow_the_settings(bench: Bench) -> None:
    bench.draft.set(model="4.5B-distill-fp8", width=320, height=320, seconds=2.0)
    before = bench.show(CARD)
    assert "of 24 GB graphics memory" in bench.text()
    assert "of 64 GB memory" in bench.text()
    assert "on disk" in bench.text()
    bench.draft.plan = None
    bench.draft.set(seconds=8.0)
    assert bench.wait().disk_bytes > before.disk_bytes


def test_a_guessed_time_is_called_one(bench: Bench) -> None:
    bench.draft.set(model="4.5B-distill-fp8", width=320, height=320)
    found = bench.show(CARD)
    assert not found.measured
    assert "  ·  roughly " in bench.text()
    assert "Guessed" in bench.line.label.toolTip()
    times = Times(0.0, 0.0, 0.0, 70.0, 5.0)
    measured = dataclasses.replace(found, measured=True, times=times)
    bench.draft.set_plan(measured)
    assert "  ·  about 1 min 15 s  ·  " in bench.text()
    assert "Guessed" not in bench.line.label.toolTip()
    length = dataclasses.replace(measured.length, num_chunks=None, num_frames=None)
    bench.draft.set_plan(dataclasses.replace(measured, length=length, chunk_s=3.0))
    assert bench.text().startswith("until you stop it  ·  a second every 3 s")


def test_what_the_time_consists_of(bench: Bench) -> None:
    bench.draft.set(model="4.5B-distill-fp8", width=320, height=320)
    bench.draft.set_prompt("a lighthouse at dusk")
    found = bench.show(CARD)
    lines = bench.line.label.toolTip().splitlines()
    assert lines[0].startswith("Reading the prompt: ")
    assert any(line.startswith("Getting it up to speed: 2 s") for line in lines)
    times = dataclasses.replace(found.times, text_s=0.0, load_s=0.0, warm_up_s=0.0)
    bench.draft.set_plan(dataclasses.replace(found, times=times))
    assert bench.line.label.toolTip().startswith("Making the frames: ")


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
    bench.draft.plan = None
    line.advice_buttons[0].click()
    assert bench.wait().fits
    assert line.advice_buttons == []


def test_settings_that_cannot_work_are_left_to_the_checks(bench: Bench) -> None:
    bench.show(CARD)
    bench.draft.set(width=8)
    bench.qtbot.waitUntil(lambda: bench.text() == "")


@pytest.mark.parametrize("points", [7, 9, 11, 14])
def test_the_button_above_stays_where_it_is_while_figures_come_and_go(
    bench: Bench, points: int
) -> None:
    label = bench.line.label
    font = label.font()
    font.setPointSize(points)
    label.setFont(font)
    bench.line.refresh()
    width = 60 * label.fontMetrics().averageCharWidth()
    heights = [bench.line.heightForWidth(width)]
    bench.show(dataclasses.replace(CARD, device="cpu", vram_total_bytes=None, cores=2))
    heights.append(bench.line.heightForWidth(width))
    bench.draft.plan = None
    bench.draft.set(width=8)
    bench.qtbot.waitUntil(lambda: bench.text() == "")
    heights.append(bench.line.heightForWidth(width))
    assert len(set(heights)) == 1, heights


def test_no_line_breaks_within_a_figure_in_chinese_either() -> None:
    figures = ["直到您停止", "每秒视频用时 1 分 07 秒", "内存 829 MB / 25 GB", "磁盘 1.2 MB"]
    text = _SEPARATOR.join(map(_in_one_line, figures))
    finder = QTextBoundaryFinder(QTextBoundaryFinder.BoundaryType.Line, text)
    breaks = iter(finder.toNextBoundary, -1)
    assert len(list(breaks)) == len(figures)


def test_hours_are_a_warning(bench: Bench) -> None:
    card = dataclasses.replace(CARD, device="cpu", vram_total_bytes=None, cores=2)
    plan = bench.show(card)
    assert plan.pace is Pace.FAIR
    assert bench.line.label.property("role") == "caption"
    bench.draft.plan = None
    bench.draft.set(model="4.5B-distill")
    plan = bench.wait()
    assert plan.fits
    assert plan.pace is Pace.HOPELESS
    assert bench.line.label.property("role") == "warning"
    assert "days" in bench.text() or " h" in bench.text()
