"""What a computer can run, by the engine's own estimate."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from magi_desktop.state.job_words import duration, rough_duration
from magi_desktop.state.model_words import size_text
from magi_desktop.translation import translated
from magi_engine.errors import MagiError
from magi_engine.install.status import ModelState, ModelStatus
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.planning.plan import JobPlan, Pace
from magi_engine.runtime.planning.quantization import QuantizationEstimate

translate = QCoreApplication.translate


_ROLES = {Pace.FAIR: "success", Pace.SLOW: "warning", Pace.HOPELESS: "error"}


def verdict(outcome: JobPlan | MagiError, facts: MachineFacts) -> tuple[str, str]:
    """Whether a model would run, and how long its usual video takes: a label's role and text."""
    if isinstance(outcome, MagiError):
        return "error", translated(outcome)
    if not outcome.fits:
        return "warning", translated(outcome.problem)
    if outcome.vram_bytes is not None and facts.vram_total_bytes is not None:
        where = translate("Machine", "Runs on this graphics card: {0} of {1}.")
        needed, there = outcome.vram_bytes, facts.vram_total_bytes
    else:
        where = translate("Machine", "Runs on the processor: {0} of {1} memory.")
        needed, there = outcome.ram_bytes, facts.ram_total_bytes
    where = where.format(size_text(needed), size_text(there))
    return _ROLES[outcome.pace], f"{where} {_time_text(outcome)}"


def _time_text(outcome: JobPlan) -> str:
    text = translate("Machine", "{length} of video take roughly {time}.")
    if outcome.pace is not Pace.FAIR:
        text = translate("Machine", "But {length} of video take roughly {time}.")
    length_s = (outcome.length.num_frames or 0) / outcome.fps
    return text.format(length=duration(length_s), time=rough_duration(outcome.times.all_s))


def download_text(
    status: ModelStatus, facts: MachineFacts | None, making: QuantizationEstimate | None
) -> tuple[str, str]:
    """What is still to be downloaded or made, and if there is room: a label's role and text."""
    if status.state is ModelState.TO_MAKE:
        return _making_text(facts, making)
    if not status.missing_bytes:
        return "muted", ""
    wanted, room = size_text(status.missing_bytes), size_text(status.room_bytes)
    enough = facts is None or status.room_bytes <= facts.disk_free_bytes
    if facts is None:
        return "muted", translate("Machine", "{} to download.").format(wanted)
    free = size_text(facts.disk_free_bytes)
    if not enough:
        text = translate(
            "Machine", "{0} to download; that takes {1} of room, but only {2} are free on the disk."
        )
        return "warning", text.format(wanted, room, free)
    text = translate("Machine", "{0} to download; {1} are free on the disk.")
    return "muted", text.format(wanted, free)


def _making_text(
    facts: MachineFacts | None, making: QuantizationEstimate | None
) -> tuple[str, str]:
    if facts is None or making is None:
        return "muted", ""
    if making.room_bytes > facts.disk_free_bytes:
        text = translate("Machine", "{0} on the disk, of which only {1} are free.")
        room = size_text(making.room_bytes)
        return "warning", text.format(room, size_text(facts.disk_free_bytes))
    text = translate("Machine", "{0} on the disk; making it takes roughly {1}.")
    return "muted", text.format(size_text(making.disk_bytes), rough_duration(making.seconds))
