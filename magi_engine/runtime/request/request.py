"""Everything one generation needs, in one frozen value.

A request knows nothing of loaded models or of Qt. It survives a round trip through JSON exactly,
which is also how it travels in the metadata of the videos it made.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from magi_engine import __version__
from magi_engine.errors import InvalidRequestError
from magi_engine.json_text import WrongField, parse_json, read_fields
from magi_engine.media.clips import ClipPart
from magi_engine.media.fit import CropBox, FitPolicy
from magi_engine.media.writer import WriteOptions
from magi_engine.messages import Message
from magi_engine.sampling.schedule import Transition

FORMAT = "magi-request"
FORMAT_VERSION = 1
DEFAULT_SPECIAL_TOKENS = ("HQ_TOKEN", "DURATION_TOKEN")
AUDITIONED = 9
"""First seconds that an audition makes, unless it is told otherwise."""
_LONGEST_NAME = 48
_DRAWN_SEEDS = 2**31


class Mode(Enum):
    """What the generation starts from."""

    T2V = "t2v"
    I2V = "i2v"
    V2V = "v2v"


@dataclass(frozen=True)
class PromptChange:
    """``text`` is the prompt from chunk ``chunk`` of the result on (0 is the first one).

    ``transition`` says what that chunk takes over from those before it.
    """

    chunk: int
    text: str
    transition: Transition = Transition.GO_ON


@dataclass(frozen=True)
class TakeStart:
    """What a video has in common with an earlier one.

    Attributes:
        take: name of the kept latents of that video.
        chunk: the first chunk of the result that is made anew; all before it are shared.
        video: the file of that video, whose packets are copied; without it, or if they do not fit,
            the shared chunks are decoded once more.
        origin: the take of the first video that all this goes back to; None: ``take`` itself.
    """

    take: str
    chunk: int
    video: str | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Along:
    """Another video whose first chunk may be sampled in one batch with that of a request."""

    seed: int
    prompt: str


@dataclass(frozen=True)
class SamplingOverrides:
    """What to do differently from the model's own configuration; None leaves it as it is.

    Names and meanings are those of the official configuration. ``text_scales`` and
    ``prev_chunk_scales`` may also hold one value, which then stands wherever the model's own
    table is not zero.
    """

    num_steps: int | None = None
    window_size: int | None = None
    shortcut_mode: str | None = None
    cfg_t_range: tuple[float, ...] | None = None
    prev_chunk_scales: tuple[float, ...] | None = None
    text_scales: tuple[float, ...] | None = None
    noise2clean_kvrange: tuple[int, ...] | None = None
    clean_chunk_kvrange: int | None = None
    fps: int | None = None
    """Frames per second of the result; a reference clip is brought to it."""


def drawn_seed() -> int:
    """A seed by chance, short enough to be read out: below 2^31."""
    return secrets.randbelow(_DRAWN_SEEDS)


@dataclass(frozen=True)
class GenerationRequest:
    """One video to make. Nothing is checked here: see ``runtime.request.validation.validate``."""

    mode: Mode
    model: str
    """Name in the registry of models."""
    width: int
    height: int
    """Pixels, multiples of 16."""
    num_frames: int | None
    """Frames of the result, a source clip in front not counted; None: until stopped."""
    prompts: tuple[PromptChange, ...] = (PromptChange(0, ""),)
    seed: int = 0
    reference: str | None = None
    """Path of the image (i2v) or video (v2v)."""
    fit: FitPolicy = FitPolicy.CROP
    crop: CropBox | None = None
    """The part of the reference that is used, before fitting."""
    clip: ClipPart = field(default_factory=ClipPart)
    """Which part of the video conditions the generation (v2v)."""
    prepend_source: bool = False
    """Put the source clip in front of the result (v2v)."""
    config_path: str | None = None
    """An official configuration file to use instead of the model's own."""
    sampling: SamplingOverrides = field(default_factory=SamplingOverrides)
    start: TakeStart | None = None
    """The chunks it shares with an earlier video; they count as chunks of this one."""
    only_chunks: int | None = None
    """How many of its chunks are made now, to be resumed if it is worth it; None: all."""
    along: tuple[Along, ...] = ()
    """What differs in videos that are waiting, of which only the first chunk is made as well."""
    special_tokens: tuple[str, ...] = DEFAULT_SPECIAL_TOKENS
    negative_tokens: bool = False
    """Whether the forwards without prompt know what to stay away from; base models only."""
    output: str | None = None
    """File (or, for a PNG sequence, folder) to write; None writes nothing."""
    writing: WriteOptions = field(default_factory=WriteOptions)
    device: str = "auto"
    dtype: str = "auto"
    attention: str = "auto"
    """One of ``devices.ATTENTIONS``; an exact one stands in for what the device does not have."""
    cards: int = 1
    """How many graphics cards make it together, where that is faster; 0: all there are."""
    quantised_attention: bool = False
    """No wish but a fact, noted by the engine: the attention of this video rounded to 8 bits."""
    take: str | None = None
    """Noted by the engine, too: under which name the latents of this video are kept."""
    chunk_frames: int = 24
    """The same: how many frames the model makes at a time."""
    first_frames: int | None = None
    """The same: how many of them its first chunk has; None: as many."""
    source_frames: int = 0
    """The same: of the clip that stands in front in the file."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a newer program, kept so that nothing gets lost on a round trip."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra", MappingProxyType(dict(self.extra)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be pickled; requests travel to child processes.
        return _from_json, (self.to_json(),)

    def as_wished(self) -> GenerationRequest:
        """Without what the engine noted while it made an earlier video."""
        noted = {name: _DEFAULTS[name] for name in _NOTED}
        return dataclasses.replace(self, **noted)

    @property
    def prompt(self) -> str:
        """The prompt of the first chunk."""
        return self.prompts[0].text if self.prompts else ""

    def prompts_from(self, chunk: int) -> tuple[PromptChange, ...]:
        """Those that a chunk and what comes after it are made from."""
        before = [change for change in self.prompts if change.chunk <= chunk]
        return self.prompts[max(0, len(before) - 1) :]

    def name(self, between: str = " ") -> str:
        """For its file: the prompt's first words and the seed, ``red circle moves left 42``."""
        words: list[str] = []
        for word in re.findall(r"[^\W_]+", self.prompt):
            if len(between.join([*words, word])) > _LONGEST_NAME:
                break
            words.append(word)
        return between.join([*(words or [self.mode.value]), str(self.seed)])

    def frames_before(self, chunk: int) -> int:
        """Frames of the result before a chunk of it."""
        first = self.chunk_frames if self.first_frames is None else self.first_frames
        return 0 if chunk == 0 else first + (chunk - 1) * self.chunk_frames

    @property
    def parts_in_front(self) -> int:
        """How many of :meth:`parts_of` stand before the first chunk."""
        return -(-self.source_frames // self.chunk_frames)

    def parts_of(self, frames: int) -> list[range]:
        """The frames of its file, of so many: the clip in front in parts as long as a chunk, then
        the chunks."""
        starts = list(range(0, self.source_frames, self.chunk_frames))
        chunks = map(self.frames_before, itertools.count())
        results = (self.source_frames + before for before in chunks)
        starts += itertools.takewhile(lambda start: start < frames, results)
        starts = [start for start in starts if start < frames]
        return [range(a, b) for a, b in itertools.pairwise([*starts, frames])]

    def to_json(self) -> str:
        """The request as one JSON object, for files and for other programs."""
        values = {name: _plain(getattr(self, name)) for name in _FIELDS}
        head = {"format": FORMAT, "version": FORMAT_VERSION, "program_version": __version__}
        text = json.dumps({**self.extra, **head, **values}, ensure_ascii=False)
        # Names of files may have bytes that are not UTF-8: those become JSON's own escapes.
        return text.encode("utf-8", "backslashreplace").decode()

    @classmethod
    def from_json(cls, text: str) -> GenerationRequest:
        """Read what ``to_json`` wrote, also of a newer program; unknown fields are kept.

        Raises:
            InvalidRequestError: not a request, made by an incompatible program, or damaged.
        """
        try:
            data = parse_json(text)
        except ValueError as error:
            raise _damaged(Message("it is not JSON")) from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InvalidRequestError(
                "These settings were not written by this program.",
                "Choose a video that was generated with it.",
            )
        version = data.get("version")
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise InvalidRequestError(
                "These settings were written by a newer program ({version}).",
                "Update this program to read them.",
                version=data.get("program_version"),
            )
        extra = {name: value for name, value in data.items() if name not in (*_FIELDS, *_HEAD)}
        try:
            read = read_fields(cls, {name: data[name] for name in _FIELDS if name in data})
            if "prompts" not in data and read.mode is Mode.T2V:  # an empty one is said, too
                raise WrongField("prompts", Message("is missing"))
        except WrongField as error:
            problem = Message("{name} {problem}", name=error.name, problem=error.problem)
            raise _damaged(problem) from error
        for name in ("chunk_frames", "first_frames", "only_chunks"):
            if (value := getattr(read, name)) is not None and value < 1:
                raise _damaged(Message("{name} is not positive", name=name))
        if read.source_frames < 0:
            raise _damaged(Message("{name} is negative", name="source_frames"))
        return dataclasses.replace(read, extra=extra)


def _from_json(text: str) -> GenerationRequest:
    return GenerationRequest.from_json(text)


def _plain(value: Any) -> Any:
    """The value as JSON types."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {name: _plain(v) for name, v in fields.items() if v is not None}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def _damaged(problem: Message) -> InvalidRequestError:
    return InvalidRequestError(
        "The saved settings are damaged: {problem}.",
        "Choose another video or file.",
        problem=problem,
    )


_HEAD = ("format", "version", "program_version")
_NOTED = ("quantised_attention", "chunk_frames", "first_frames", "source_frames", "take")
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(GenerationRequest)}
_FIELDS = tuple(name for name in _DEFAULTS if name != "extra")
