"""Doing the tasks; runs in a process of its own, see ``install.process``."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.disk import alone
from magi_engine.errors import DownloadError, InvalidRequestError
from magi_engine.install.adding import add_models, set_mirror
from magi_engine.install.download import download, remote_files
from magi_engine.install.hub import RemoteFile
from magi_engine.install.importing import import_models
from magi_engine.install.status import made_bytes, pickles_in, size_on_disk
from magi_engine.install.tasks import (
    Add,
    FileProgress,
    Import,
    Make,
    Phase,
    SetMirror,
    ShrinkText,
    TaskDone,
    TaskEvent,
    TaskPaused,
    TaskProgress,
    TaskResumed,
    Verify,
    Work,
)
from magi_engine.install.verifying import Checked, verify_files
from magi_engine.messages import NOTHING, Message, in_sequence
from magi_engine.runtime.process.control import ControlBox
from magi_engine.weights.layout import (
    entry_paths,
    find_model,
    missing_parts,
    models_command,
    needed_files,
)
from magi_engine.weights.manifest import FOUND, Manifest
from magi_engine.weights.provenance import small_text_encoder_of

logger = logging.getLogger(__name__)

_STEPS = 1000
_TICK_S = 0.2
_SPEED_WINDOW_S = 8.0
_SPEED_AFTER_S = 1.0
_STILL_AFTER_S = 3.0
"""So long without a byte is no beginning any more: the speed is nought."""


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

    def perform(self, task: Work) -> TaskDone:
        """Do it to its end; returns what is to be said then.

        Raises:
            MagiError: it failed.
            JobCancelled: it was cancelled.
        """
        if isinstance(task, Add):
            self._show(Phase.ASKING, 0, 0)
            added = add_models(task.source, task.name, task.like)
            titles = [entry.title for entry in added]
            names = tuple(entry.name for entry in added)
            return TaskDone(Message("Added: {titles}.", titles=titles), names)
        if isinstance(task, SetMirror):
            self._show(Phase.ASKING, 0, 0)
            set_mirror(task.address)
            source = task.address or Message("the hub itself")
            return TaskDone(Message("Models are downloaded from {source}.", source=source))
        if isinstance(task, Make | ShrinkText):
            return TaskDone(self._convert(task))
        with alone(self._models_dir / ".lock"):
            if isinstance(task, Import):
                return TaskDone(self._import(task.path))
            entry = Registry.load().find(task.model)
            if isinstance(task, Verify):
                return TaskDone(self._verify(entry))
            return TaskDone(self._download(entry))

    def _convert(self, task: Make | ShrinkText) -> Message:
        entry = Registry.load().find(task.model)
        if isinstance(task, Make):
            return self._make(entry)
        self._shrink(entry)
        done = Message("The text encoder of {title} has been made smaller.", title=entry.title)
        return in_sequence(done, self._spare(entry))

    def _download(self, entry: ModelEntry) -> Message:
        _require_other(entry)
        if entry.made_from is not None:
            raise InvalidRequestError(
                "{title} is made on this machine.",
                "Make it with: {command}",
                title=entry.title,
                command=models_command(self._models_dir, "quantize", entry.name),
            )
        self._show(Phase.ASKING, 0, 0)
        files = remote_files(entry, self._models_dir)
        self._poll()
        pickles = any(file.path.endswith(".bin") for file in files)
        made = made_bytes(entry, self._models_dir) if pickles else 0
        wait = self._box.wait_while_paused
        with contextlib.closing(download(files, self._models_dir, wait, made)) as fetching:
            for step in fetching:
                if isinstance(step, Checked):
                    self._show(Phase.VERIFYING, step.done_bytes, step.total_bytes)
                else:
                    done, total = step.done_bytes, step.total_bytes
                    self._show(Phase.DOWNLOADING, done, total, step.files)
                self._poll()
        self._shrink(entry)
        find_model(entry.name, self._models_dir)
        return in_sequence(_ready(entry), self._spare(entry))

    def _verify(self, entry: ModelEntry) -> Message:
        _require_other(entry)
        checked = self._check([entry], anew=True)
        if not checked:
            raise InvalidRequestError(
                "Nothing of {title} was downloaded or added here.",
                "Download it first.",
                title=entry.title,
            )
        title, damaged = entry.title, sum(bool(c.damaged) for c in checked)
        if damaged:
            found = Message("Damaged files of {title}: {count}.", title=title, count=damaged)
            if entry.folder is not None:
                return in_sequence(found, Message("Put the right ones in their place."))
            return in_sequence(found, Message("They can be downloaded again."))
        if all(c.published for c in checked):
            return Message("All files of {title} are as they were published.", title=title)
        if entry.like is not None:
            return Message(
                "All files of {title} are whole; from now on any change is noticed.", title=title
            )
        return Message(
            "All files of {title} are whole; what was published could not be asked.", title=title
        )

    def _import(self, path: Path) -> Message:
        """Find and link, then check once what nobody has checked yet."""
        self._show(Phase.ASKING, 0, 0)
        entries = import_models(path, self._models_dir)
        damaged = [c.path for c in self._check(entries, anew=False) if c.damaged]
        if damaged:
            return Message(
                "Files that are not as they were published: {count}.", count=len(damaged)
            )
        ready = [e.title for e in entries if not missing_parts(e, self._models_dir)]
        if ready:
            return Message("Ready to use: {titles}.", titles=ready)
        return Message("Found parts of: {titles}.", titles=[entry.title for entry in entries])

    def _check(self, entries: list[ModelEntry], *, anew: bool) -> list[Checked]:
        """Hash the files of some models: all, or only those that are not known to be right."""
        manifest = Manifest.load(self._models_dir)
        paths = [
            manifest.key(f) for entry in entries for f in needed_files(entry, self._models_dir)
        ]
        if not anew:
            paths = [path for path in paths if not manifest.holds(path)]
        published: dict[str, RemoteFile] = {}
        ours = [path for path in paths if not Path(path).is_absolute()]  # nobody published others
        if any(p not in manifest.files or manifest.files[p].source == FOUND for p in ours):
            published = self._published(entries)
        results = []
        with contextlib.closing(verify_files(self._models_dir, paths, published)) as checking:
            for checked in checking:
                if checked.damaged is not None:
                    results.append(checked)
                self._show(Phase.VERIFYING, checked.done_bytes, checked.total_bytes)
                self._poll()
        return results

    def _published(self, entries: list[ModelEntry]) -> dict[str, RemoteFile]:
        """What the hub says of the files of some models, by path; nothing if it does not answer."""
        self._show(Phase.ASKING, 0, 0)
        published = {}
        try:
            for entry in entries:
                if entry.release is not None:
                    files = remote_files(entry, self._models_dir)
                    published |= {f.path: f for f in files}
        except DownloadError as error:
            logger.info("the hub could not be asked what was published: %s", error)
        self._poll()
        return published

    def _make(self, entry: ModelEntry) -> Message:
        # PyTorch comes in only where it is needed.
        from magi_engine.runtime.job.quantize import (
            QuantizationStep,
            calibration_captions,
            quantize_model,
        )
        from magi_engine.runtime.machine.devices import choose_device, choose_dtype
        from magi_engine.runtime.models.loaded import LoadedModel

        _require_other(entry)
        if entry.made_from is None:
            raise InvalidRequestError(
                "{title} is not made here.", "Download it.", title=entry.title
            )
        self._show(Phase.READING, 0, 0)
        found = find_model(entry.made_from, self._models_dir)
        device = choose_device("auto")
        model = LoadedModel(found, device, choose_dtype("auto", device))
        folder = entry_paths(entry, self._models_dir).transformer
        shows = {
            QuantizationStep.READING: self._in_steps(Phase.READING),
            QuantizationStep.CALIBRATING: self._in_steps(Phase.CALIBRATING),
            QuantizationStep.WRITING: self._in_steps(Phase.QUANTISING),
        }
        captions = calibration_captions(entry)
        quantize_model(model, folder, captions, lambda what, fraction: shows[what](fraction))
        return _ready(entry)

    def _shrink(self, entry: ModelEntry) -> None:
        """Make the text encoder small, if it is one of large pickles and that was not done yet."""
        source = entry_paths(entry, self._models_dir).text_encoder
        if not pickles_in(source) or small_text_encoder_of(source, self._models_dir) is not None:
            return
        self._show(Phase.CONVERTING, 0, 0)
        from magi_engine.weights.convert_text import shrink_text_encoder

        show = self._in_steps(Phase.CONVERTING)
        for fraction in shrink_text_encoder(source, self._models_dir, self._poll):
            show(fraction)

    def _spare(self, entry: ModelEntry) -> Message:
        """What room can be had back, now that the text encoder is small; empty if none."""
        source = entry_paths(entry, self._models_dir).text_encoder
        small = small_text_encoder_of(source, self._models_dir)
        spare = 0 if small is None else sum(map(size_on_disk, pickles_in(source)))
        if not spare:
            return NOTHING
        return Message("{spare:bytes} of its original text encoder may be deleted.", spare=spare)

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
        if now - first < (_SPEED_AFTER_S if done > begun else _STILL_AFTER_S):
            return None
        return max(0, done - begun) / (now - first)


def _require_other(entry: ModelEntry) -> None:
    """Raises: InvalidRequestError: it ships as it is."""
    if entry.ships and entry.made_from is None:
        raise InvalidRequestError(
            "{title} ships with the program.",
            "Use it as it is: there is nothing to download, check or make.",
            title=entry.title,
        )


def _ready(entry: ModelEntry) -> Message:
    return Message("{title} is ready.", title=entry.title)
