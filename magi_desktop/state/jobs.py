"""The running job as the window sees it: chunks, progress, how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from magi_desktop.translation import translated
from magi_engine.errors import MagiError
from magi_engine.runtime.job.events import (
    AtOnce,
    AttentionQuantised,
    Cancelled,
    ChunkReady,
    ChunksShared,
    ChunkState,
    DecodingStarted,
    Event,
    Failed,
    Finished,
    Notice,
    Paused,
    Planned,
    PreviewReady,
    Progress,
    PromptChanged,
    Resumed,
    Stage,
    StageStarted,
)
from magi_engine.runtime.request.request import GenerationRequest, PromptChange
from magi_engine.sampling.schedule import Transition

if TYPE_CHECKING:
    from magi_engine.runtime.planning.plan import JobPlan

_LEAST_SECONDS_BETWEEN_CHANGES = 0.1


class Phase(Enum):
    """Where a job stands."""

    IDLE = "idle"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def active(self) -> bool:
        """Whether the engine is busy with it."""
        return self in (Phase.PREPARING, Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)


@dataclass(frozen=True)
class ChunkInfo:
    """One chunk of the result. Frames count from the start of the result."""

    index: int
    state: ChunkState
    step: int
    prompt: str
    first_frame: int
    num_frames: int
    transition: Transition = Transition.GO_ON


class JobState(QObject):
    """The job that runs, or the last one. Fed with events on the UI thread.

    Attributes:
        plan: what the engine does; None before it has said so.
        at_once: what a prompt that is followed at once would change now; None: nothing.

    Signals:
        started: a new job takes the place of the last one.
        planned: its chunks are known.
        changed: anything; at most ten times a second.
        chunk_changed: index of the chunk.
        shared: the first chunks are those of an earlier video, and in the file.
        frames_ready: first frame, and frames (T, H, W, 3) uint8.
        preview_ready: index of the chunk, and small frames (t, h, w, 3) uint8.
        ended: the last event: Finished, Cancelled or Failed.
    """

    started = Signal()
    planned = Signal()
    changed = Signal()
    chunk_changed = Signal(int)
    shared = Signal()
    frames_ready = Signal(int, object)
    preview_ready = Signal(int, object)
    noticed = Signal(str)
    ended = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.phase = Phase.IDLE
        self.request: GenerationRequest | None = None
        self.plan: JobPlan | None = None
        self.chunks: list[ChunkInfo] = []
        self.stage: Stage | None = None
        self.fraction: float | None = None
        self.frames_done = 0
        self.frames_per_second = 0.0
        self.eta_s: float | None = None
        self.next_chunk_s: float | None = None
        self.at_once: AtOnce | None = None
        self.elapsed_s = 0.0
        self.path: Path | None = None
        self.error: MagiError | None = None
        self._prompts: tuple[PromptChange, ...] = ()
        self._last_change = 0.0
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._emit_changed)

    @property
    def open_ended(self) -> bool:
        """Whether the job runs until it is stopped."""
        return self.request is not None and self.num_frames is None

    @property
    def num_steps(self) -> int:
        """Denoising steps of a chunk; 0 before there is a plan."""
        return 0 if self.plan is None else self.plan.num_steps

    @property
    def num_frames(self) -> int | None:
        """Frames that are made in all; None while nobody knows."""
        if self.plan is not None:
            return self.plan.length.num_frames
        return None if self.request is None else self.request.num_frames

    @property
    def first_open_chunk(self) -> int | None:
        """The first chunk that has not begun; None: there is none, or no plan."""
        if not self.phase.active or self.plan is None:
            return None
        for chunk in self.chunks:
            if chunk.state is ChunkState.WAITING:
                return chunk.index
        return len(self.chunks) if self.open_ended else None

    @property
    def can_direct(self) -> bool:
        """Whether another prompt would still change something."""
        began = self.at_once is not None and self.at_once.lost_s > 0
        return self.phase is not Phase.STOPPING and (began or self.first_open_chunk is not None)

    def begin(self, request: GenerationRequest) -> None:
        """A new job takes the place of the last one."""
        self.request, self.plan = request, None
        self._prompts = request.prompts
        self.stage, self.fraction = None, None if request.num_frames is None else 0.0
        self.frames_done, self.frames_per_second, self.elapsed_s = 0, 0.0, 0.0
        self.eta_s = self.next_chunk_s = self.at_once = self.path = self.error = None
        self.chunks = []
        self.phase = Phase.PREPARING
        self.started.emit()
        self._emit_changed()

    def stopping(self) -> None:
        """Stop was asked for; the engine finishes its step."""
        if self.phase.active:
            self.phase = Phase.STOPPING
            self._emit_changed()

    @Slot(object)
    def take(self, event: Event) -> None:
        """Note what the engine reports."""
        match event:
            case Planned(plan=plan):
                self.plan = plan
                self._grow_to(plan.num_chunks or 1)
                self.planned.emit()
            case StageStarted(stage=stage):
                self.stage = stage
                if stage is Stage.SAMPLING and self.phase is Phase.PREPARING:
                    self.phase = Phase.RUNNING
            case Progress():
                self._progress(event)
            case DecodingStarted(index=index):
                self._set_chunk(index, state=ChunkState.DECODING)
            case ChunksShared(chunks=count, frames=frames):
                for index in range(count):
                    self._set_chunk(index, state=ChunkState.DONE, step=self.num_steps)
                self.frames_done = frames
                self.shared.emit()
            case ChunkReady():
                self._chunk_ready(event)
            case PreviewReady(index=index, frames=frames):
                self.preview_ready.emit(index, frames)
            case Notice(message=message):
                self.noticed.emit(translated(message))
            case AttentionQuantised() if self.request is not None:
                self.request = replace(self.request, quantised_attention=True)
            case Paused():
                self._set_phase(Phase.PAUSED)
            case Resumed():
                self._set_phase(Phase.RUNNING)
            case PromptChanged(chunk=chunk, text=text, transition=transition):
                self._prompt_changed(PromptChange(chunk, text, transition))
            case Finished() | Cancelled() | Failed():
                self._end(event)
                return
        self._change()

    def _set_phase(self, phase: Phase) -> None:
        if self.phase is not Phase.STOPPING:
            self.phase = phase

    def _progress(self, event: Progress) -> None:
        self._set_phase(Phase.RUNNING)
        self.fraction, self.eta_s, self.next_chunk_s = (
            event.fraction,
            event.eta_s,
            event.next_chunk_s,
        )
        self.at_once = event.at_once
        self.elapsed_s, self.frames_per_second = event.elapsed_s, event.frames_per_second
        count = event.num_chunks or max((c.index for c in event.active), default=0) + 1
        self._grow_to(count)
        for status in event.active:
            self._set_chunk(status.index, state=status.state, step=status.step)
        newest = event.active[-1].index if event.active else len(self.chunks)
        for chunk in self.chunks[newest + 1 :]:
            if chunk.state is ChunkState.WAITING:
                break
            self._set_chunk(chunk.index, state=ChunkState.WAITING, step=0)  # it starts anew

    def _chunk_ready(self, event: ChunkReady) -> None:
        self._set_chunk(event.index, state=ChunkState.DONE, step=self.num_steps)
        self.frames_done = event.first_frame + len(event.frames)
        self.frames_ready.emit(event.first_frame, event.frames)

    def _prompt_changed(self, change: PromptChange) -> None:
        kept = tuple(p for p in self._prompts if p.chunk != change.chunk)
        self._prompts = tuple(sorted((*kept, change), key=lambda p: p.chunk))
        for index in range(change.chunk, len(self.chunks)):
            now = self._prompt_at(index)
            self._set_chunk(index, prompt=now.text, transition=now.transition)

    def _end(self, event: Finished | Cancelled | Failed) -> None:
        self.path, self.frames_done = event.path, event.frames
        self.eta_s = self.next_chunk_s = self.at_once = None
        match event:
            case Finished(elapsed_s=elapsed_s):
                self.phase, self.fraction, self.elapsed_s = Phase.FINISHED, 1.0, elapsed_s
            case Cancelled():
                self.phase = Phase.CANCELLED
            case Failed(error=error):
                self.phase, self.error = Phase.FAILED, error
        if not isinstance(event, Finished):
            self.chunks = [c for c in self.chunks if c.state is ChunkState.DONE]
        self._emit_changed()
        self.ended.emit(event)

    def _prompt_at(self, index: int) -> PromptChange:
        """What a chunk is made from; only where that changes is there a transition."""
        change = next((p for p in reversed(self._prompts) if p.chunk <= index), None)
        if change is None or change.chunk < index:
            return PromptChange(index, "" if change is None else change.text)
        return change

    def _grow_to(self, count: int) -> None:
        """Let there be ``count`` chunks."""
        assert self.plan is not None  # the first thing an engine says
        for index in range(len(self.chunks), count):
            frames = self.plan.chunk(index).frames
            prompt = self._prompt_at(index)
            self.chunks.append(
                ChunkInfo(
                    *(index, ChunkState.WAITING, 0, prompt.text),
                    *(frames.start, len(frames), prompt.transition),
                )
            )
            self.chunk_changed.emit(index)

    def _set_chunk(self, index: int, **values: object) -> None:
        self._grow_to(index + 1)
        changed = replace(self.chunks[index], **values)  # type: ignore[arg-type]
        if changed != self.chunks[index]:
            self.chunks[index] = changed
            self.chunk_changed.emit(index)

    def _change(self) -> None:
        """Say that something changed, now or a little later."""
        wait = self._last_change + _LEAST_SECONDS_BETWEEN_CHANGES - time.monotonic()
        if wait <= 0:
            self._emit_changed()
        elif not self._timer.isActive():
            self._timer.start(round(wait * 1000) + 1)

    @Slot()
    def _emit_changed(self) -> None:
        self._last_change = time.monotonic()
        self.changed.emit()
