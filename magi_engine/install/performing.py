"""Doing the tasks; runs in a process of its own, see ``install.process``."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.errors import InvalidRequestError
from magi_engine.install.download import alone, check_files, download, note_files, remote_files
from magi_engine.install.importing import import_models
from magi_engine.install.status import size_on_disk
from magi_engine.install.tasks import (
    Download,
    FileProgress,
    Import,
    Make,
    Phase,
    ShrinkText,
    Task,
    TaskEvent,
    TaskPaused,
    TaskProgress,
    TaskResumed,
    Verify,
)
from magi_engine.runtime.control import ControlBox
from magi_engine.weights.layout import entry_paths, find_model
from magi_engine.weights.provenance import small_text_encoder_of

_STEPS = 1000
_TICK_S = 0.2
_SPEED_WINDOW_S = 8.0
_SPEED_AFTER_S = 1.0


class Performer:
    """Does one task.

    Args:
        emit: told every event but the last.
        box: what the task is told.
    """

    def __init__(self, models_dir: Path, emit: Callable[[TaskEvent], None], box: ControlBox):
        self._models_dir, self._emit, self._box = models_dir, emit, box
        self._meter = _Meter()
        self._next_tick = 0.0

    def perform(self, task: Task) -> str:
        """Do it to its end; returns what is to be said then, in one sentence.

        Raises:
            MagiError: it failed.
            JobCancelled: it was cancelled.
        """
        match task:
            case Download():
                entry = Registry.load().find(task.model)
                with alone(self._models_dir):
                    return self._download(entry)
            case Verify():
                return self._verify(Registry.load().find(task.model))
            case Make():
                return self._make(Registry.load().find(task.model))
            case ShrinkText():
                entry = Registry.load().find(task.model)
                self._shrink(entry)
                spare = self._spare_bytes(entry)
                more = f" {spare / 1e9:.1f} GB of the original may be deleted." if spare else ""
                return f"The text encoder of {entry.title} is small now.{more}"
            case Import():
                return self._import(task.path)

    def _download(self, entry: ModelEntry) -> str:
        if entry.made_from is not None:
            raise InvalidRequestError(
                f"{entry.title} is made on this machine.",
                f"Make it with: magi models quantize {entry.name}",
            )
        self._show(Phase.ASKING, 0, 0)
        files = remote_files(entry)
        self._poll()
        assert entry.release is not None  # else there are no remote files
        source = f"{entry.release.repository}@{entry.release.revision}"
        fetching = download(files, self._models_dir, source, self._box.wait_while_paused)
        with contextlib.closing(fetching):
            for fetched in fetching:
                self._show(
                    Phase.DOWNLOADING, fetched.done_bytes, fetched.total_bytes, fetched.files
                )
                self._poll()
        self._shrink(entry)
        find_model(entry.name, self._models_dir)
        spare = self._spare_bytes(entry)
        more = (
            f" {spare / 1e9:.1f} GB of its original text encoder may be deleted." if spare else ""
        )
        return f"{entry.title} is ready.{more}"

    def _verify(self, entry: ModelEntry) -> str:
        paths = entry.files
        below = (paths.transformer, paths.autoencoder, paths.text_encoder, paths.special_tokens)
        results = {}
        for checked in check_files(self._models_dir, below):
            if checked.damaged is not None:
                results[checked.path] = checked.damaged
            self._show(Phase.VERIFYING, checked.done_bytes, checked.total_bytes)
            self._poll()
        if not results:
            raise InvalidRequestError(
                f"Nothing of {entry.title} was downloaded or added here.", "Download it first."
            )
        damaged = sum(results.values())
        if damaged:
            return f"Damaged files of {entry.title}: {damaged}. They can be downloaded again."
        return f"All files of {entry.title} are as they were published."

    def _import(self, path: Path) -> str:
        """Find and link; then hash, so that damage is noticed from now on."""
        self._show(Phase.ASKING, 0, 0)
        imported = import_models(path, self._models_dir)
        for hashed in note_files(self._models_dir, imported.files, "imported"):
            self._show(Phase.VERIFYING, hashed.done_bytes, hashed.total_bytes)
            self._poll()
        return imported.sentence

    def _make(self, entry: ModelEntry) -> str:
        # PyTorch comes in only where it is needed.
        from magi_engine.runtime.devices import choose_device, choose_dtype
        from magi_engine.runtime.models import LoadedModel
        from magi_engine.runtime.quantizing import (
            Making,
            calibration_captions,
            quantize_model,
            target_folder,
        )

        if entry.made_from is None:
            raise InvalidRequestError(f"{entry.title} is not made here.", "Download it.")
        self._show(Phase.READING, 0, 0)
        found = find_model(entry.made_from, self._models_dir)
        device = choose_device("auto")
        model = LoadedModel(found, device, choose_dtype("auto", device))
        folder = target_folder(found, self._models_dir, None)
        shows = {
            Making.READING: self._in_steps(Phase.READING),
            Making.CALIBRATING: self._in_steps(Phase.CALIBRATING),
            Making.WRITING: self._in_steps(Phase.QUANTISING),
        }
        captions = calibration_captions(found)
        quantize_model(model, folder, captions, lambda what, fraction: shows[what](fraction))
        return f"{entry.title} is ready."

    def _shrink(self, entry: ModelEntry) -> None:
        """Make the text encoder small, if it is one of large pickles and that was not done yet."""
        source = entry_paths(entry, self._models_dir).text_encoder
        if not _pickles(source) or small_text_encoder_of(source, self._models_dir) is not None:
            return
        self._show(Phase.CONVERTING, 0, 0)
        from magi_engine.weights.convert_text import shrink_text_encoder

        show = self._in_steps(Phase.CONVERTING)
        for fraction in shrink_text_encoder(source, self._models_dir, self._poll):
            show(fraction)

    def _spare_bytes(self, entry: ModelEntry) -> int:
        """Room that can be had back, now that the text encoder is small."""
        source = entry_paths(entry, self._models_dir).text_encoder
        small = small_text_encoder_of(source, self._models_dir)
        return 0 if small is None else sum(map(size_on_disk, _pickles(source)))

    def _in_steps(self, phase: Phase) -> Callable[[float], None]:
        def show(fraction: float) -> None:
            self._poll()
            self._show(phase, round(fraction * _STEPS), _STEPS)

        return show

    def _show(
        self, phase: Phase, done: int, total: int, files: tuple[FileProgress, ...] = ()
    ) -> None:
        now = time.monotonic()
        speed = self._meter.take(phase, done, now)
        if now < self._next_tick and done not in (0, total):
            return
        self._next_tick = now + _TICK_S
        left = (total - done) / speed if speed else None
        in_bytes = speed if phase.in_bytes else None
        self._emit(TaskProgress(phase, done, total, in_bytes, left, files))

    def _poll(self) -> None:
        """Stand still or stop, if that was asked for."""
        if self._box.paused:
            self._emit(TaskPaused())
            self._box.wait_while_paused()
            self._box.raise_if_cancelled()
            self._meter = _Meter()
            self._emit(TaskResumed())
        self._box.raise_if_cancelled()


class _Meter:
    """How much is done a second, over the last seconds."""

    def __init__(self) -> None:
        self._phase: Phase | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def take(self, phase: Phase, done: int, now: float) -> float | None:
        """Note how much is done; returns the speed, or None if it is too early to say."""
        if phase is not self._phase:
            self._phase = phase
            self._seen.clear()
        self._seen.append((now, done))
        while now - self._seen[0][0] > _SPEED_WINDOW_S:
            self._seen.popleft()
        first, begun = self._seen[0]
        if now - first < _SPEED_AFTER_S or done <= begun:
            return None
        return (done - begun) / (now - first)


def _pickles(folder: Path) -> list[Path]:
    return sorted(folder.glob("pytorch_model*.bin"))
