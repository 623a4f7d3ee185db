"""Shows a job in the player: its frames, its chunks, and what is being waited for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from magi_desktop import background
from magi_desktop.player.chunk_cell import Cell
from magi_desktop.player.video_file import VideoFile
from magi_desktop.state.job_words import current_chunk, job_sentence
from magi_desktop.state.jobs import ChunkInfo, JobState, Phase
from magi_engine.media.fit import UInt8Array
from magi_engine.runtime.job.events import ChunkState, Event
from magi_engine.runtime.request.references import Reference, read_reference

if TYPE_CHECKING:
    from magi_desktop.player.player import Player


class JobLink(QObject):
    """Connects a player to a job, until the player shows something else.

    Attributes:
        live: the player shows the job.
    """

    def __init__(self, player: Player, job: JobState) -> None:
        super().__init__(player)
        self._player, self._job = player, job
        self._reference: background.Task[Reference | None] | None = None
        # Frames of a source clip that stand in front of the result in its file; None: not known.
        self._skip: int | None = 0
        self._before: Path | None = None
        """What was shown as the job began."""
        self.live = True
        job.started.connect(self.show)
        job.planned.connect(self._planned)
        job.changed.connect(self._changed)
        job.chunk_changed.connect(self._chunk_changed)
        job.shared.connect(self._shared)
        job.frames_ready.connect(self._frames_ready)
        job.preview_ready.connect(self._preview_ready)
        job.ended.connect(self._ended)

    @Slot()
    def show(self) -> None:
        """Let the player show the job from its first frame on, whether it runs or has ended."""
        job, player = self._job, self._player
        self._forget_reference()
        if job.plan is None:
            self._before = player.path
            player.clear()
            self.live = True
            player.shown_changed.emit()
            if job.phase.active:
                player.canvas.set_message(None)
                self._changed()
            return
        self.live = True
        self._skip = None if job.request is not None and job.request.prepend_source else 0
        player.begin(job.plan.fps, job.num_frames, job.plan.length.chunk_frames)
        for chunk in job.chunks:
            self._chunk_changed(chunk.index)
        self._read_reference()
        if job.phase.active:
            player.set_source(self._file(), job.frames_done)
        else:
            self._show_end()
        self._changed()

    @Slot()
    def _planned(self) -> None:
        if self.live:  # else a video of the library was opened in the meantime, and stays
            self.show()

    def _file(self) -> VideoFile | None:
        """Where frames that are no longer in memory can be read."""
        job = self._job
        if self._skip is None or job.plan is None:
            return None
        if job.phase.active:
            output = None if job.request is None else job.request.output
            if output is None:
                return None
            return VideoFile(Path(output), job.plan.fps, self._skip, growing=True)
        return None if job.path is None else VideoFile(job.path, job.plan.fps, self._skip)

    @Slot()
    def _changed(self) -> None:
        if not self.live:
            return
        job, player = self._job, self._player
        player.strip.can_direct = job.phase.active
        if not job.phase.active:
            player.set_waiting("")
            return
        chunk = current_chunk(job) if job.phase is not Phase.PREPARING else None
        denoised = None
        if chunk is not None and chunk.state is ChunkState.DENOISING:
            denoised = self._denoised(chunk)
        player.set_waiting(job_sentence(job), denoised)

    def _denoised(self, chunk: ChunkInfo) -> float:
        return chunk.step / max(1, self._job.num_steps)

    @Slot(int)
    def _chunk_changed(self, index: int) -> None:
        if not self.live:
            return
        chunk = self._job.chunks[index]
        cell = Cell(
            chunk.state,
            self._denoised(chunk),
            chunk.prompt,
            chunk.first_frame,
            chunk.num_frames,
            chunk.transition,
        )
        self._player.strip.set_cell(index, cell)

    @Slot()
    def _shared(self) -> None:
        if self.live:
            self._player.set_source(self._file(), self._job.frames_done)

    @Slot(int, object)
    def _frames_ready(self, first_frame: int, frames: UInt8Array) -> None:
        if self.live:
            self._player.append(first_frame, frames)

    @Slot(int, object)
    def _preview_ready(self, chunk: int, frames: UInt8Array) -> None:
        if self.live:
            self._player.set_preview(chunk, frames)

    @Slot(object)
    def _ended(self, _event: Event) -> None:
        if self.live:
            self._show_end()
            self._changed()

    def _show_end(self) -> None:
        job, player = self._job, self._player
        player.strip.drop_from(len(job.chunks))
        player.strip.setVisible(bool(job.chunks))
        player.set_source(self._file(), job.frames_done)
        player.finish()
        if job.frames_done or job.phase is Phase.FINISHED:
            return
        if self._before is not None and self._before.exists():
            player.open_file(self._before)
        elif job.phase is Phase.CANCELLED:
            player.set_message(self.tr("Stopped before the first frames were ready."))
        else:
            player.clear()  # the window says what went wrong

    # The reference, as the model sees it

    def _forget_reference(self) -> None:
        if self._reference is not None:
            self._reference.cancel()
            self._reference = None

    def _read_reference(self) -> None:
        request = self._job.request
        if request is None or request.reference is None or self._job.plan is None:
            return
        self._reference = background.run(
            read_reference,
            request,
            self._job.plan.fps,
            then=self._take_reference,
            failed=_forget,
            owner=self,
        )

    def _take_reference(self, source: Reference | None) -> None:
        self._reference = None
        if source is None or not self.live:
            return
        self._player.comparison.set_frames(source.frames)
        if self._skip is None:
            self._skip = 0 if source.clip is None else source.clip.source_frames
            nothing_yet = self._player.buffer.end == 0
            self._player.set_source(self._file(), self._job.frames_done)
            if nothing_yet and not self._job.phase.active:
                self._player.play()


def _forget(_error: Exception) -> None:
    pass
