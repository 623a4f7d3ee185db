"""The frames that exist so far, in bounded memory; what is not in memory is read from the file."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict

from PySide6.QtCore import QObject, Signal

from magi_desktop import background
from magi_desktop.player.video_file import BlockReader, VideoFile
from magi_desktop.translation import translated
from magi_engine.late import np
from magi_engine.media.fit import UInt8Array

MEMORY_BYTES = 1 << 30
BLOCK_FRAMES = 8

# Of the memory, this part belongs to frames read from the file, the rest to those just made.
_READ_SHARE = 0.25
_BLOCKS_AHEAD = 6
_LEAST_BLOCKS = 1 + _BLOCKS_AHEAD + 2


class FrameBuffer(QObject):
    """Frames by index; never decodes on the UI thread.

    Chunks that were appended stay in memory until they are the oldest and the memory is full;
    from then on they are read from the file, like all frames of a file that was opened, some
    blocks ahead of what is shown.

    Signals:
        arrived: frames that were not in memory are now.
        shortened: the file holds less than was thought; `start` and `end` say what there is.
        failed: the file cannot be read; a sentence for the user.

    Attributes:
        end: one past the last frame there is.
    """

    arrived = Signal()
    shortened = Signal()
    failed = Signal(str)

    def __init__(self, memory_bytes: int = MEMORY_BYTES, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._live_bytes = round(memory_bytes * (1 - _READ_SHARE))
        self._read_bytes = memory_bytes - self._live_bytes
        # One thread, so that a reader is never asked twice at once.
        self._pool = background.Pool(self)
        self._task: background.Task[UInt8Array | None] | None = None
        self.clear()

    def clear(self) -> None:
        """Forget everything; work under way is not waited for."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.end = 0
        self._firsts: list[int] = []  # of the appended chunks, rising
        self._chunks: list[UInt8Array] = []
        self._chunk_bytes = 0
        self._blocks: OrderedDict[int, UInt8Array] = OrderedDict()  # least lately used first
        self._reader: BlockReader | None = None
        self._wanted = 0
        self._ahead = False

    @property
    def start(self) -> int:
        """The first frame that can be had."""
        if self._reader is not None:
            return 0
        return self._firsts[0] if self._firsts else 0

    @property
    def memory_used(self) -> int:
        """Bytes of all frames held."""
        return self._chunk_bytes + sum(block.nbytes for block in self._blocks.values())

    def append(self, first_frame: int, frames: UInt8Array) -> None:
        """Add the next chunk, ``(T, H, W, 3)`` uint8; it is kept, not copied."""
        frames = np.ascontiguousarray(frames)
        self._firsts.append(first_frame)
        self._chunks.append(frames)
        self._chunk_bytes += frames.nbytes
        self.end = max(self.end, first_frame + len(frames))
        while self._chunk_bytes > self._live_bytes and len(self._chunks) > 1:
            self._chunk_bytes -= self._chunks.pop(0).nbytes
            self._firsts.pop(0)

    def read_from(self, file: VideoFile, num_frames: int) -> None:
        """Take what is not in memory from a file, which holds frames up to `num_frames`."""
        self._reader = BlockReader(file)
        self.end = max(self.end, num_frames)
        self._read_on()

    def frame(self, index: int) -> UInt8Array | None:
        """One frame ``(H, W, 3)``, or None while it is not in memory; see `want`."""
        place = bisect_right(self._firsts, index) - 1
        if place >= 0:
            offset = index - self._firsts[place]
            if offset < len(self._chunks[place]):
                return self._chunks[place][offset]
        block = self._blocks.get(index // BLOCK_FRAMES)
        offset = index % BLOCK_FRAMES
        if block is None or offset >= len(block):
            return None
        self._blocks.move_to_end(index // BLOCK_FRAMES)
        return block[offset]

    def has(self, index: int) -> bool:
        """Whether `frame` has it now."""
        return self.frame(index) is not None

    def want(self, index: int, playing: bool) -> None:
        """Say what is shown: it and what comes after it (when paused, around it) is read."""
        self._wanted, self._ahead = index, playing
        self._read_on()

    def _read_on(self) -> None:
        """Have the most urgent missing block read, unless one is being read already."""
        if self._reader is None or self._task is not None:
            return
        block = self._missing_block()
        if block is None:
            return
        first = block * BLOCK_FRAMES
        count = min(BLOCK_FRAMES, self.end - first)
        reader = self._reader
        self._task = self._pool.run(
            reader.read,
            first,
            count,
            then=lambda frames: self._take(block, count, frames),
            failed=lambda error: self._fail(reader, error),
        )

    def _missing_block(self) -> int | None:
        if self.end == 0:
            return None
        blocks = -(-self.end // BLOCK_FRAMES)
        here = self._wanted // BLOCK_FRAMES
        # After the last block comes the first: a finished video begins again.
        steps = range(_BLOCKS_AHEAD + 1) if self._ahead else (0, 1, -1)
        for step in steps:
            block = (here + step) % blocks
            first, last = block * BLOCK_FRAMES, min((block + 1) * BLOCK_FRAMES, self.end) - 1
            if not (self.has(first) and self.has(last)):
                return block
        return None

    def _take(self, block: int, count: int, frames: UInt8Array | None) -> None:
        self._task = None
        got = 0 if frames is None else len(frames)
        if frames is not None:
            self._blocks[block] = frames
            self._blocks.move_to_end(block)
            self._evict(frames.nbytes)
        if got < count:
            self._came_short(block * BLOCK_FRAMES + got)
        self.arrived.emit()
        self._read_on()

    def _evict(self, block_bytes: int) -> None:
        """Drop the blocks used longest ago, but never those that are read ahead."""
        room = max(_LEAST_BLOCKS, self._read_bytes // block_bytes)
        while len(self._blocks) > room:
            self._blocks.popitem(last=False)

    def _came_short(self, end: int) -> None:
        """The file holds less than was said: what is not in memory either does not exist."""
        if self._firsts:
            self._reader = None
        else:
            self.end = end
        self.shortened.emit()

    def _fail(self, reader: BlockReader, error: Exception) -> None:
        self._task = None
        if reader is not self._reader:
            self._read_on()  # meanwhile the frames are somewhere else
            return
        self._reader = None
        self.shortened.emit()
        self.failed.emit(translated(error))
