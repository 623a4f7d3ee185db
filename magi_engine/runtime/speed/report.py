"""What measuring this machine's speed came to. Needs no PyTorch."""

from __future__ import annotations

import json
from dataclasses import dataclass

from magi_engine.json_text import to_fields
from magi_engine.messages import Message, counted


@dataclass(frozen=True)
class Measuring:
    """How far measuring has got.

    Attributes:
        share: of all of it, from 0 to 1.
        doing: what it is at.
    """

    share: float
    doing: Message


@dataclass(frozen=True)
class VideoSpeed:
    """What a video takes here, of a loaded model and a known prompt; nothing is written.

    Attributes:
        width, height, num_steps, window_size, frames: of it.
        seconds: from the first step to the last frame.
        made: which share of its operations was computed; the rest of the time is an estimate.
        floor_s: what its matrix products and attentions take at the rates that were measured.
        device_bytes: the most that was taken of the graphics card; None without one.
        problem: why there is nothing of all this.
    """

    width: int
    height: int
    num_steps: int
    window_size: int
    frames: int
    seconds: float = 0.0
    made: float = 0.0
    floor_s: float = 0.0
    device_bytes: int | None = None
    problem: str | None = None

    @property
    def frames_per_s(self) -> float:
        """Frames that are made in a second."""
        return self.frames / self.seconds

    @property
    def estimated(self) -> bool:
        """Whether not all of it was made."""
        return self.made < 1


@dataclass(frozen=True)
class SpeedReport:
    """How fast a machine is.

    Attributes:
        model: whose shapes were computed; ``random_weights``: made for this, there are no files.
        kernels: what runs between matrix products; ``slow_because`` says why not the fast ones.
        attention: name of the attention that was used.
        products_per_s, attention_per_s: floating-point operations, of large matrix products in the
            model's number format and of attention.
        copies_per_s: bytes, read and written.
    """

    version: str
    date: str
    device: str
    system: str
    torch: str
    model: str
    random_weights: bool
    kernels: str
    slow_because: str | None
    attention: str
    products_per_s: float
    attention_per_s: float
    copies_per_s: float
    videos: tuple[VideoSpeed, ...]

    def to_json(self) -> str:
        """For other programs; with what follows from the fields."""
        fields = to_fields(self)
        for row, video in zip(fields["videos"], self.videos, strict=True):
            row["estimated"] = video.estimated
            row["frames_per_s"] = None if video.problem else video.frames_per_s
        return json.dumps(fields, indent=2) + "\n"

    def to_text(self) -> str:
        """To be pasted where others read it, hence English."""
        weights = ", random weights" if self.random_weights else ""
        lines = [
            f"{self.device}, {self.system}, PyTorch {self.torch}, "
            f"Magi Desktop {self.version}, {self.date}",
            f"{self.model}{weights}; {self.kernels} kernels, attention: {self.attention}",
            f"products {self.products_per_s / 1e12:.4g} TFLOP/s, "
            f"attention {self.attention_per_s / 1e12:.4g} TFLOP/s, "
            f"copies {self.copies_per_s / 1e12:.3g} TB/s",
        ]
        if self.slow_because is not None:
            lines.append(f"Not the fast kernels: {self.slow_because}")
        lines += [self._line(video) for video in self.videos]
        if any(video.estimated and not video.problem for video in self.videos):
            lines.append("~ is an estimate: only the share that is named was computed.")
        return "\n".join(lines) + "\n"

    @staticmethod
    def _line(video: VideoSpeed) -> str:
        steps = counted(video.num_steps, "step|steps")
        what = f"{video.width}x{video.height}, {steps}, {counted(video.frames, 'frame|frames')}"
        if video.problem:
            return f"{what}: {video.problem}"
        about = "~" if video.estimated else ""
        made = f", {video.made:.0%} computed" if video.estimated else ""
        memory = "" if video.device_bytes is None else f", {video.device_bytes / 2**30:.1f} GiB"
        floor = f"{video.seconds / video.floor_s:.2f} x its floor of {video.floor_s:.1f} s"
        return (
            f"{what}: {about}{video.seconds:.1f} s ({about}{video.frames_per_s:.3g} frames/s, "
            f"{floor}{memory}{made})"
        )
