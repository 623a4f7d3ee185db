"""What the picture is compared with: the reference it was made from, or another take, in step."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from magi_desktop.player.actions import PlayerActions
from magi_desktop.player.canvas import Canvas, image_of
from magi_desktop.player.frames import FrameBuffer
from magi_desktop.player.video_file import VideoFile
from magi_engine.media.fit import UInt8Array

_MEMORY_BYTES = 256 << 20
_STEP = 0.05
"""How far a key moves the line."""


class Comparison(QObject):
    """Gives the canvas the other picture that belongs to the frame shown.

    Attributes:
        buffer: frames of another video; empty unless one is compared with.
        file: that video; None: there is none.
    """

    def __init__(self, canvas: Canvas, commands: PlayerActions, parent: QObject) -> None:
        super().__init__(parent)
        self._canvas, self._commands = canvas, commands
        self._position, self._playing = 0, False
        self._frames: UInt8Array | None = None
        self._num_frames = 0
        self.file: VideoFile | None = None
        self.buffer = FrameBuffer(_MEMORY_BYTES, self)
        self.buffer.arrived.connect(self._show)
        commands.compare.toggled.connect(self._follow)
        commands.wipe.toggled.connect(self._wipe)
        commands.wipe_left.triggered.connect(lambda: canvas.move_line(-_STEP))
        commands.wipe_right.triggered.connect(lambda: canvas.move_line(_STEP))
        self.set_frames(None)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to compare with."""
        return self._frames is None and self.file is None

    def set_frames(self, frames: UInt8Array | None) -> None:
        """Compare with frames ``(T, H, W, 3)``, which play round and round; None: with nothing."""
        self._set(frames, None)

    def set_video(self, file: VideoFile, num_frames: int, names: tuple[str, str]) -> None:
        """Compare with another video, frame by frame.

        Args:
            names: of that one and of the one that is played, as they are shown.
        """
        self._num_frames = num_frames
        self._set(None, file, names)

    def _set(
        self,
        frames: UInt8Array | None,
        file: VideoFile | None,
        names: tuple[str, str] | None = None,
    ) -> None:
        self._frames, self.file = frames, file
        self.buffer.clear()
        self._canvas.names = names
        for action in (self._commands.compare, self._commands.wipe):
            action.setEnabled(not self.empty)
        self._follow()

    def show(self, position: int, playing: bool) -> None:
        """The picture that belongs to a frame, if the two are compared."""
        self._position, self._playing = position, playing
        self._show()

    def has(self, position: int) -> bool:
        """Whether it can be shown at once; playback waits for it."""
        end = self.buffer.end
        off = not self._commands.compare.isChecked() or end == 0
        return off or self.buffer.has(min(position, end - 1))

    @Slot(bool)
    def _wipe(self, on: bool) -> None:
        if on:
            self._commands.compare.setChecked(True)
        self._follow()

    @Slot()
    def _follow(self) -> None:
        on = self._commands.compare.isChecked()
        self._canvas.set_comparing(on, self._commands.wipe.isChecked())
        if on and self.file is not None and self.buffer.end == 0:
            self.buffer.read_from(self.file, self._num_frames)
        self._show()

    @Slot()
    def _show(self) -> None:
        if not self._commands.compare.isChecked() or self.empty:
            self._canvas.set_reference(None)
        elif self._frames is not None:
            frame = self._frames[self._position % len(self._frames)]
            self._canvas.set_reference(image_of(frame))
        elif self.buffer.end:
            index = min(self._position, self.buffer.end - 1)
            self.buffer.want(index, self._playing)
            if (frame := self.buffer.frame(index)) is not None:  # else the one before stays
                self._canvas.set_reference(image_of(frame))
