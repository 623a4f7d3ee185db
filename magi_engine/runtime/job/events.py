"""What a generation reports while it runs.

Every job ends in exactly one of :class:`Finished`, :class:`Cancelled` and :class:`Failed`.
The classes are plain data; ``to_dict`` gives what a program reading JSON lines needs. They can be
pickled, but their latents do not come along: those are for whoever shares the engine's process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from magi_engine.errors import MagiError
from magi_engine.json_text import WrongField, read_fields, to_fields
from magi_engine.messages import Message
from magi_engine.sampling.schedule import Transition

if TYPE_CHECKING:
    from torch import Tensor

    from magi_engine.media.fit import UInt8Array
    from magi_engine.runtime.planning.plan import JobPlan
else:  # the types of fields are looked up where events are read
    Tensor = UInt8Array = JobPlan = Any


class Stage(Enum):
    """The parts of a job, in the order in which they usually come."""

    READING_REFERENCE = "reading_reference"
    LOADING_TEXT_ENCODER = "loading_text_encoder"
    ENCODING_PROMPT = "encoding_prompt"
    LOADING_VAE = "loading_vae"
    ENCODING_REFERENCE = "encoding_reference"
    LOADING_MODEL = "loading_model"
    PREPARING_SIZE = "preparing_size"
    SAMPLING = "sampling"
    CONNECTING = "connecting"
    """Only of a video that another machine makes, at any time: it does not answer."""
    WAITING = "waiting"
    """Only there, too: it has the request and has not begun."""

    @property
    def sentence(self) -> Message:
        """What is going on, for a person."""
        return _STAGE_SENTENCES[self]


_STAGE_SENTENCES = {
    Stage.READING_REFERENCE: Message("Reading the reference"),
    Stage.LOADING_TEXT_ENCODER: Message("Loading the text encoder"),
    Stage.ENCODING_PROMPT: Message("Reading the prompt"),
    Stage.LOADING_VAE: Message("Loading the autoencoder"),
    Stage.ENCODING_REFERENCE: Message("Encoding the reference"),
    Stage.LOADING_MODEL: Message("Loading the model"),
    Stage.PREPARING_SIZE: Message("Preparing for this size"),
    Stage.SAMPLING: Message("Generating"),
    Stage.CONNECTING: Message("Waiting for the other computer"),
    Stage.WAITING: Message("Waiting for its turn on the other computer"),
}


class ChunkState(Enum):
    """Where one chunk of the video stands."""

    WAITING = "waiting"
    DENOISING = "denoising"
    DECODING = "decoding"
    DONE = "done"


@dataclass(frozen=True)
class ChunkStatus:
    """One chunk of the result; ``step`` counts the denoising steps it has behind it."""

    index: int
    state: ChunkState
    step: int


@dataclass(frozen=True)
class AtOnce:
    """What a prompt that is followed at once would change now.

    Attributes:
        chunk: of the result, the first with the new words.
        lost_s: computing that is done over again, estimated; 0: nothing has begun there.
    """

    chunk: int
    lost_s: float


@dataclass(frozen=True)
class Event:
    """Base of everything ``Engine.generate`` yields."""

    kind: ClassVar[str] = "event"

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON values: its ``kind`` under ``event``, and its fields. Of frames there
        is their number, of latents nothing."""
        return {"event": self.kind, **self._fields()}

    def to_exact_dict(self) -> dict[str, Any]:
        """As :meth:`to_dict`, with what :func:`event_from_dict` needs beside it to make the same
        event again: sentences as keys with values, and the whole plan."""
        names = {f.name for f in fields(self)} & {"plan", "message", "error"}
        exact = {name: to_fields(getattr(self, name)) for name in names}
        return {**self.to_dict(), "exact": exact} if exact else self.to_dict()

    def _fields(self) -> dict[str, Any]:
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "latents"}
        if not isinstance(values.get("frames", 0), int):
            values["num_frames"] = len(values.pop("frames"))
        return _plain(values)


@dataclass(frozen=True)
class Planned(Event):
    """What the job is going to do, before anything is loaded; its first event."""

    plan: JobPlan
    kind: ClassVar[str] = "planned"

    def _fields(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "model": plan.model,
            "device": plan.device,
            "num_chunks": plan.num_chunks,
            "num_frames": plan.length.num_frames,
            "fps": plan.fps,
            "num_steps": plan.num_steps,
            "seconds": _plain(plan.seconds),
            "vram_bytes": plan.vram_bytes,
            "ram_bytes": plan.ram_bytes,
        }


@dataclass(frozen=True)
class StageStarted(Event):
    """A new part of the job has begun."""

    stage: Stage
    kind: ClassVar[str] = "stage"


@dataclass(frozen=True)
class Notice(Event):
    """Something the user should know that does not stop the job."""

    message: Message
    kind: ClassVar[str] = "notice"


@dataclass(frozen=True)
class Paused(Event):
    """The job stands still until it is resumed or cancelled."""

    kind: ClassVar[str] = "paused"


@dataclass(frozen=True)
class Resumed(Event):
    """The job goes on after a pause."""

    kind: ClassVar[str] = "resumed"


@dataclass(frozen=True)
class PromptChanged(Event):
    """A prompt given while the job runs is in force from ``chunk`` on."""

    chunk: int
    text: str
    transition: Transition = Transition.GO_ON
    kind: ClassVar[str] = "prompt_changed"


@dataclass(frozen=True)
class AttentionQuantised(Event):
    """Attention rounds to 8 bits in this video, since that is fastest or was asked for."""

    backend: str
    kind: ClassVar[str] = "attention_quantised"


@dataclass(frozen=True)
class Progress(Event):
    """One denoising step is behind us. Times are in seconds, pauses not counted."""

    active: tuple[ChunkStatus, ...]
    """The chunks in work now, earliest first."""
    num_steps: int
    """Denoising steps every chunk takes."""
    chunks_done: int
    num_chunks: int | None
    """None: open-ended."""
    frames_done: int
    fraction: float | None
    """Part of the whole job's denoising that is done, 0 to 1; None: open-ended."""
    elapsed_s: float
    seconds_per_step: float
    frames_per_second: float
    """Pace of the generation: frames per second of computing, once the pace is known."""
    eta_s: float | None
    next_chunk_s: float
    """Estimated time until the next chunk can be seen."""
    latents: Callable[[], Tensor] | None = field(default=None, repr=False, compare=False)
    """Gives the window's noisy latents, (R, 16, T, H/8, W/8); None from another process."""
    at_once: AtOnce | None = None
    """None: no chunk is left behind the one in work."""
    kind: ClassVar[str] = "progress"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "latents": None}

    @property
    def chunks(self) -> tuple[ChunkStatus, ...]:
        """Every chunk of the result; for an open-ended job those up to the newest one in work."""
        done = (ChunkStatus(i, ChunkState.DONE, self.num_steps) for i in range(self.chunks_done))
        first_waiting = self.chunks_done + len(self.active)
        indices = range(first_waiting, self.num_chunks or first_waiting)
        waiting = (ChunkStatus(i, ChunkState.WAITING, 0) for i in indices)
        return (*done, *self.active, *waiting)

    def decoding(self, index: int) -> Progress:
        """The same moment with chunk ``index`` being decoded: see :class:`DecodingStarted`."""
        active = (
            replace(c, state=ChunkState.DECODING) if c.index == index else c for c in self.active
        )
        return replace(self, active=tuple(active))


@dataclass(frozen=True)
class PreviewReady(Event):
    """A rough picture of what a chunk is becoming; only if previews were asked for."""

    index: int
    frames: UInt8Array = field(repr=False, compare=False)
    """(T/4, H/8, W/8, 3) RGB for a chunk of T frames."""
    kind: ClassVar[str] = "preview"

    def to_exact_dict(self) -> dict[str, Any]:
        from magi_engine.runtime.job.pictures import picture_of

        return {**self.to_dict(), "picture": picture_of(self.frames)}


@dataclass(frozen=True)
class DecodingStarted(Event):
    """A chunk has taken all its steps and is now turned into frames."""

    index: int
    kind: ClassVar[str] = "decoding"


@dataclass(frozen=True)
class ChunksShared(Event):
    """The first chunks of the video are those of an earlier one and are in the file already."""

    chunks: int
    frames: int
    kind: ClassVar[str] = "chunks_shared"


@dataclass(frozen=True)
class Restarted(Event):
    """What made the video is gone, and it is made on elsewhere: the growing file begins anew, with
    the chunks that were announced in front."""

    chunks: int
    kind: ClassVar[str] = "restarted"


@dataclass(frozen=True)
class ChunkReady(Event):
    """A chunk is decoded and, if there is an output file, on its way into it."""

    index: int
    first_frame: int
    """Index of ``frames[0]`` in the generated video."""
    frames: UInt8Array = field(repr=False, compare=False)
    """(T, H, W, 3) RGB."""
    latents: Tensor | None = field(default=None, repr=False, compare=False)
    """(1, 16, T', H/8, W/8), on the CPU; None from another process."""
    kind: ClassVar[str] = "chunk"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "latents": None}


@dataclass(frozen=True)
class Finished(Event):
    """The whole video is there. ``path`` is None when no file was asked for."""

    path: Path | None
    frames: int
    elapsed_s: float
    kind: ClassVar[str] = "finished"


@dataclass(frozen=True)
class Cancelled(Event):
    """The job was stopped; ``path`` holds what was finished by then, None if nothing was."""

    path: Path | None
    frames: int
    kind: ClassVar[str] = "cancelled"


@dataclass(frozen=True)
class Failed(Event):
    """The job broke off; ``path`` holds what was finished by then, None if nothing was."""

    error: MagiError
    path: Path | None
    frames: int
    kind: ClassVar[str] = "failed"

    def _fields(self) -> dict[str, Any]:
        return {
            "error": type(self.error).__name__,
            "message": str(self.error.message),
            "hint": str(self.error.hint),
            "path": _plain(self.path),
            "frames": self.frames,
        }


def refused() -> Failed:
    """A job that is asked for while another one runs."""
    error = MagiError("Another video is being generated.", "Wait until it is done, or cancel it.")
    return Failed(error, path=None, frames=0)


def event_from_dict(data: dict[str, Any], frames: UInt8Array | None = None) -> Event:
    """The event whose :meth:`Event.to_exact_dict` is ``data``.

    Args:
        frames: of a chunk, which do not stand in it.

    Raises:
        WrongField: it is no event, or damaged.
    """
    kinds = {cls.kind: cls for cls in Event.__subclasses__()}
    kind, exact = kinds.get(data.get("event", "")), data.get("exact", {})
    if kind is None or not isinstance(exact, dict):
        raise WrongField("event", Message("is missing"))
    if kind is Planned:
        from magi_engine.runtime.planning.plan import JobPlan

        return Planned(read_fields(JobPlan, exact.get("plan"), "plan"))
    if kind is PreviewReady:
        from magi_engine.runtime.job.pictures import frames_of

        frames = frames_of(data["picture"], data["num_frames"])
    given: dict[str, Any] = {} if frames is None else {"frames": frames}
    return read_fields(kind, {**data, **exact}, **given)


def _plain(value: Any) -> Any:
    """As JSON values."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path | Message):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if is_dataclass(value):
        value = vars(value)
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value
