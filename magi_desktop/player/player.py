"""The player: plays what exists, waits for what is being made, and loops when all is there."""

from __future__ import annotations

import math
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from magi_desktop import background
from magi_desktop.player import overlay
from magi_desktop.player.actions import PlayerActions
from magi_desktop.player.canvas import Canvas, Message
from magi_desktop.player.chunk_cell import cells_of
from magi_desktop.player.chunk_strip import ChunkStrip
from magi_desktop.player.clock import SPEEDS, PlaybackClock, PlaybackStats
from magi_desktop.player.comparison import Comparison
from magi_desktop.player.frames import MEMORY_BYTES, FrameBuffer
from magi_desktop.player.full_screen import FullScreen
from magi_desktop.player.job_link import JobLink
from magi_desktop.player.preview import PreviewLoop
from magi_desktop.player.still import StillExport
from magi_desktop.player.thumbnails import ThumbnailMaker
from magi_desktop.player.transport import Transport
from magi_desktop.player.video_file import VideoFacts, VideoFile, read_facts
from magi_desktop.state.jobs import JobState
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.layout import vbox
from magi_engine.errors import MagiError
from magi_engine.media.fit import UInt8Array
from magi_engine.runtime.job.events import ChunkState

_ZOOM_STEP = 1.25


class Player(QWidget):
    """The picture, its controls and the strip of chunks.

    Signals:
        first_frame_shown: the first frame of a new video is on the screen.
        frame_changed: index of the frame shown.
        prompt_requested: the user wants to say what a chunk that has not begun shall show.
        shown_changed: another video is shown, or none, or where it is has become known.
        menu_wanted: a place on the screen: the picture's context menu is wanted there.

    Attributes:
        commands: the player's commands, for menus and the help sheet.
        buffer: the frames there are.
        stills: saves and copies single frames; says what went wrong.
        comparison: what is shown beside the picture.
    """

    first_frame_shown = Signal()
    frame_changed = Signal(int)
    prompt_requested = Signal(int)
    shown_changed = Signal()
    menu_wanted = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        super().__init__(parent)
        self.commands = PlayerActions(self)
        self.buffer = FrameBuffer(memory_bytes, self)
        self.canvas = Canvas()
        self.transport = Transport(self.commands)
        self.strip = ChunkStrip()
        self.stills = StillExport(self)
        self._clock = PlaybackClock()
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self.comparison = Comparison(self.canvas, self.commands, self)
        self._previews = PreviewLoop(self)
        self._thumbnails = ThumbnailMaker(self)
        self._full_screen: FullScreen | None = None
        self._link: JobLink | None = None
        self._opening: background.Task[VideoFacts] | None = None
        self._let_go: Path | None = None
        self._empty = Message(self.tr("Nothing to play yet."))
        self._column = vbox(self, t.SPACE_2).add((self.canvas, 1), self.transport, self.strip)
        kept = self.strip.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # the picture never jumps
        self.strip.setSizePolicy(kept)
        self._connect()
        self.clear()

    def _connect(self) -> None:
        a = self.commands
        self._timer.timeout.connect(self._tick)
        self.buffer.arrived.connect(self._frames_arrived)
        self.comparison.buffer.arrived.connect(self._tick)
        self.buffer.shortened.connect(self._update_range)
        self.buffer.failed.connect(self._show_problem)
        self.canvas.painted.connect(self._painted)
        self.canvas.zoom_changed.connect(lambda: self.transport.set_zoom(self.canvas.zoom))
        self.canvas.clicked.connect(a.play.trigger)
        self.canvas.double_clicked.connect(self._double_clicked)
        self.canvas.menu_wanted.connect(self.menu_wanted)
        self.transport.scrubbed.connect(self.seek)
        self.transport.speed_chosen.connect(self.set_speed)
        self.strip.chosen.connect(self._jump_to_chunk)
        self.strip.prompt_requested.connect(self.prompt_requested)
        self.strip.thumbnail_wanted.connect(self._order_thumbnail)
        self._thumbnails.made.connect(self.strip.set_thumbnail)
        self._previews.changed.connect(self._show_waiting)
        for action, slot in (
            (a.play, self.toggle),
            (a.step_back, lambda: self._step(-1)),
            (a.step_forward, lambda: self._step(1)),
            (a.second_back, lambda: self._step(-round(self._clock.fps))),
            (a.second_forward, lambda: self._step(round(self._clock.fps))),
            (a.to_start, lambda: self.seek(0)),
            (a.to_end, lambda: self.seek(self.buffer.end - 1)),
            (a.slower, lambda: self._change_speed(-1)),
            (a.faster, lambda: self._change_speed(1)),
            (a.zoom_in, lambda: self.canvas.zoom_by(_ZOOM_STEP)),
            (a.zoom_out, lambda: self.canvas.zoom_by(1 / _ZOOM_STEP)),
            (a.copy_frame, self.copy_frame),
            (a.save_frame, self.save_frame),
        ):
            action.triggered.connect(slot)
        a.zooms.triggered.connect(lambda action: self.canvas.set_zoom(action.data()))
        a.loop.setChecked(True)
        a.preview.setChecked(True)
        a.loop.toggled.connect(self._set_looping)
        a.preview.toggled.connect(self._show_waiting)
        a.full_screen.toggled.connect(self._set_full_screen)

    # State

    @property
    def position(self) -> int:
        """The frame shown, 0 before there is one."""
        return self._clock.position

    @property
    def second_in_file(self) -> float:
        """When that frame is in the file, where a source clip may stand in front."""
        skip = 0 if self._file is None else self._file.skip
        return (skip + self._clock.position) / self._clock.fps

    @property
    def part_shown(self) -> range | None:
        """The frames of the file that belong to the chunk that frame lies in."""
        chunk, skip = self.strip.chunk_of(self.position), self._file.skip if self._file else 0
        if chunk is None:
            return None
        cell = self.strip.cells[chunk]
        return range(skip + cell.first_frame, skip + cell.first_frame + cell.num_frames)

    @property
    def playing(self) -> bool:
        """Whether it plays, or waits to play on."""
        return self._clock.playing

    @property
    def waiting(self) -> bool:
        """Whether it plays but stands at the end of what exists."""
        nothing_yet = self.buffer.end == 0 and not self._clock.complete
        return self.playing and (self._clock.waiting or nothing_yet)

    @property
    def stats(self) -> PlaybackStats:
        """How well playback kept its rate, since the video began."""
        return self._clock.stats

    @property
    def showing_job(self) -> bool:
        """Whether the bound job is shown, and not a file."""
        return self._link is not None and self._link.live

    # A video that is being made

    def bind(self, job: JobState) -> None:
        """Show a job, and every later one as soon as it starts."""
        self._link = JobLink(self, job)

    def show_job(self) -> None:
        """Go back from a file to the bound job."""
        if self._link is not None:
            self._link.show()
            self.shown_changed.emit()

    def begin(self, fps: float, num_frames: int | None, chunk_frames: int) -> None:
        """A new video, of which nothing exists yet; it plays as soon as frames come.

        Args:
            num_frames: how many there will be; None if nobody knows.
            chunk_frames: how many come at a time.
        """
        self._forget()
        self._clock.reset(fps)
        self.strip.fps = fps
        self._expected, self._open_ended = num_frames or 0, num_frames is None
        self._chunk_frames = chunk_frames
        self._clock.play()
        self.canvas.set_message(None)
        self.strip.show()
        self._update_range()

    def append(self, first_frame: int, frames: UInt8Array) -> None:
        """The next chunk: ``(T, H, W, 3)`` uint8 RGB."""
        self.buffer.append(first_frame, frames)
        self._previews.chunk_done()
        self._update_range()
        if not self.playing and self.canvas.image is None:
            self._show(self._clock.seek(first_frame))

    def set_source(self, file: VideoFile | None, num_frames: int) -> None:
        """Where frames that are not in memory can be read, and how many it holds so far."""
        self._file = file
        if file is not None:
            self.path = file.path
            self.buffer.read_from(file, num_frames)
            self._update_range()
        self.shown_changed.emit()

    def set_preview(self, chunk: int, frames: UInt8Array) -> None:
        """A rough preview of a chunk in work, ``(t, h, w, 3)`` uint8, any size."""
        self._previews.take(chunk, frames, self._chunk_frames / self._clock.fps)

    def set_waiting(self, text: str, fraction: float | None = None) -> None:
        """What the engine does, shown while playback waits for it; empty: nothing."""
        self._waiting_for = overlay.Waiting(text, fraction) if text else None
        self._show_waiting()

    def finish(self, path: Path | None = None) -> None:
        """Nothing more will come.

        Args:
            path: the finished file, if `set_source` was not called with it.
        """
        if path is not None:
            self.set_source(VideoFile(path, self._clock.fps), self.buffer.end)
        self._clock.finish()
        self._open_ended, self._expected = False, 0
        self._previews.clear()
        self._waiting_for = None
        self._update_range()

    def fail(self, title: str, detail: str = "") -> None:
        """The video broke off: say so; what exists can be played."""
        self.set_message(title, detail, is_error=True)

    def set_message(self, title: str, detail: str = "", is_error: bool = False) -> None:
        """A sentence in place of the picture, or below it; an empty one takes it away."""
        self.canvas.set_message(Message(title, detail, is_error) if title else None)

    def set_empty_text(self, title: str, detail: str = "") -> None:
        """What stands where the picture will be before there is a video."""
        shown = self.canvas.message == self._empty
        self._empty = Message(title, detail)
        if shown:
            self.canvas.set_message(self._empty)

    def clear(self) -> None:
        """Show nothing, as at the start."""
        self._detach()
        self._forget()
        self._clock.reset(self._clock.fps)
        self.canvas.set_message(self._empty)
        self.strip.hide()
        self._update_range()

    @Slot(list)
    def let_go(self, paths: list[Path]) -> None:
        """Show none of these files any more: they are about to go, and Windows moves no file that
        is open."""
        if self.path in paths:
            self._let_go = self.path
            self.clear()
        elif self.comparison.file is not None and self.comparison.file.path in paths:
            self.comparison.set_frames(None)

    @Slot(object, object)
    def follow(self, before: Path, after: Path) -> None:
        """Show a file again that was let go: it came back, perhaps under another name."""
        if before == self._let_go and self.path is None:
            self.open_file(after)

    # A video that exists

    def open_file(self, path: Path, frame: int = 0) -> None:
        """Play a video file or a folder of PNG frames in place of the job, from a frame on."""
        self._detach()
        self._forget()
        self._clock.reset(self._clock.fps)
        self.canvas.set_message(None)
        self._update_range()
        self.path = path
        """The file that is shown, or that is being opened."""
        self.shown_changed.emit()
        self._opening = background.run(
            read_facts,
            path,
            then=lambda facts: self._opened(path, facts, frame),
            failed=self._not_opened,
            owner=self,
        )

    def _opened(self, path: Path, facts: VideoFacts, frame: int) -> None:
        self._opening = None
        self.begin(facts.fps, facts.num_frames, facts.chunk_frames)
        self.strip.set_cells(cells_of(facts))
        self.set_source(VideoFile(path, facts.fps), facts.num_frames)
        self.finish()
        self.seek(frame)

    def _not_opened(self, error: Exception) -> None:
        self._opening = None
        if isinstance(error, MagiError):
            self.fail(translated(error.message), translated(error.hint))
        else:
            self.fail(translated(error))

    # Playback

    @Slot()
    def toggle(self) -> None:
        self.pause() if self.playing else self.play()

    def play(self) -> None:
        self._clock.play()
        self._tick()

    def pause(self) -> None:
        self._clock.pause()
        self._tick()

    @Slot(int)
    def seek(self, frame: int) -> None:
        if self.buffer.end > self.buffer.start:
            self._show(self._clock.seek(frame))
            self._tick()

    def _step(self, frames: int) -> None:
        self._clock.pause()
        self.seek(self.position + frames)

    @Slot(float)
    def set_speed(self, speed: float) -> None:
        """1 is the video's own rate."""
        self._clock.speed = speed
        self.transport.set_speed(speed)
        self._tick()

    def _change_speed(self, steps: int) -> None:
        index = SPEEDS.index(self._clock.speed) + steps
        self.set_speed(SPEEDS[max(0, min(index, len(SPEEDS) - 1))])

    @Slot()
    def _double_clicked(self) -> None:
        """The first click of the two paused it, or let it play: back to before."""
        self.commands.play.trigger()
        self.commands.full_screen.trigger()

    @Slot(bool)
    def _set_looping(self, on: bool) -> None:
        self._clock.looping = on

    @Slot(int)
    def _jump_to_chunk(self, index: int) -> None:
        cell = self.strip.cells[index]
        if cell.state is ChunkState.DONE:
            self.seek(cell.first_frame)

    @Slot()
    def _tick(self) -> None:
        """Show the frame due now, and come back when the next one is."""
        frame = self._clock.tick(lambda f: self.buffer.has(f) and self.comparison.has(f))
        if frame is not None:
            self._show(frame)
        due = self._clock.next_due_s()
        if due is None:
            self._timer.stop()
            self.buffer.want(self.position, self.playing)
            self.comparison.show(self.position, self.playing)
        else:
            self._timer.start(math.ceil(due * 1000))
        self.transport.set_playing(self.playing)
        self._show_waiting()

    @Slot()
    def _frames_arrived(self) -> None:
        if self._pending is not None:
            self._show(self._pending)
        self._tick()

    @Slot()
    def _update_range(self) -> None:
        """Frames came, or the expected length changed."""
        buffer, clock = self.buffer, self._clock
        clock.set_range(buffer.start, buffer.end)
        total = max(self._expected, buffer.end)
        in_work = (
            self._chunk_frames if self._open_ended else 0
        )  # shown hollow, though nobody counts it
        self.transport.scrub_bar.set_extent(buffer.start, buffer.end, total + in_work, clock.fps)
        self.transport.set_time(self.position, total, clock.fps, self._open_ended)
        for action in self.commands.need_frames:
            action.setEnabled(buffer.end > 0)
        self._tick()

    def _show(self, index: int) -> None:
        """Bring a frame to the screen, now or when it has been read."""
        self.buffer.want(index, self.playing)
        frame = self.buffer.frame(index)
        self._pending = index if frame is None else None
        if frame is not None:
            self.canvas.show_frame(frame)
            self._shown = index
        self.comparison.show(index, self.playing)
        total = max(self._expected, self.buffer.end)
        self.transport.scrub_bar.set_position(index)
        self.transport.set_time(index, total, self._clock.fps, self._open_ended)
        self.strip.set_playing_frame(index)
        self.frame_changed.emit(index)

    @Slot()
    def _painted(self) -> None:
        self._clock.painted()
        if not self._first_shown and not self.canvas.is_preview:
            self._first_shown = True
            self.first_frame_shown.emit()

    @Slot()
    def _show_waiting(self) -> None:
        """The overlay and the preview, while playback waits."""
        waits = self.waiting or (self.buffer.end == 0 and self._waiting_for is not None)
        self.canvas.set_waiting(self._waiting_for if waits else None)
        picture = self._previews.picture if waits and self.commands.preview.isChecked() else None
        if picture is not None:
            self.canvas.show_frame(picture, preview=True)
        elif self.canvas.is_preview:
            self.canvas.show_frame(self._frame_shown())

    @Slot(str)
    def _show_problem(self, text: str) -> None:
        self.fail(text)

    def _forget(self) -> None:
        """Leave the video that was shown."""
        self._timer.stop()
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        self.buffer.clear()
        self._thumbnails.clear()
        self._previews.clear()
        self.canvas.show_frame(None)
        self.strip.set_cells([])
        self.strip.can_direct = False
        self._expected, self._open_ended, self._chunk_frames = 0, False, 0
        self._pending: int | None = None
        self._shown: int | None = None
        self._first_shown = False
        self._file: VideoFile | None = None
        self.path: Path | None = None
        self._waiting_for: overlay.Waiting | None = None
        self.comparison.set_frames(None)
        self.shown_changed.emit()

    def _detach(self) -> None:
        if self._link is not None:
            self._link.live = False

    # The picture

    @Slot(int)
    def _order_thumbnail(self, chunk: int) -> None:
        cell = self.strip.cells[chunk]
        middle = cell.first_frame + cell.num_frames // 2
        frame, size = self.buffer.frame(middle), self.strip.thumbnail_size()
        if frame is not None:
            self._thumbnails.from_frame(chunk, frame, size)
        elif self._file is not None:
            self._thumbnails.from_file(chunk, self._file, middle, size)

    @Slot()
    def copy_frame(self) -> None:
        """Put the frame shown on the clipboard."""
        if (frame := self._frame_shown()) is not None:
            self.stills.copy(frame)

    @Slot()
    def save_frame(self) -> None:
        """Ask where to save the frame shown."""
        if (frame := self._frame_shown()) is not None:
            stem = "magi" if self.path is None else self.path.stem
            self.stills.ask(frame, f"{stem}-{self.position + 1:04d}.png", self.window())

    def _frame_shown(self) -> UInt8Array | None:
        return None if self._shown is None else self.buffer.frame(self._shown)

    # Keys and full screen

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.commands.handle_key(event):
            super().keyPressEvent(event)

    @Slot(bool)
    def _set_full_screen(self, on: bool) -> None:
        if on and self._full_screen is None:
            self._enter_full_screen()
        elif not on and self._full_screen is not None:
            self._leave_full_screen(self._full_screen)

    def _enter_full_screen(self) -> None:
        window = FullScreen(self.canvas, self.transport, self.commands, self)
        window.left.connect(lambda: self.commands.full_screen.setChecked(False))
        self._full_screen = window
        window.setGeometry(self.screen().geometry())
        window.showFullScreen()
        self.transport.set_floating(True)

    def _leave_full_screen(self, window: FullScreen) -> None:
        self._full_screen = None
        window.release()
        self._column.insertWidget(0, self.canvas, 1)
        self._column.insertWidget(1, self.transport)
        self.transport.set_floating(False)
        window.hide()
        window.deleteLater()
        self.canvas.show()  # else it comes with the next layout, too late for the focus
        self.canvas.setFocus()
