"""A request turned into what a job will do and take, on a machine. Only planning needs PyTorch."""

from __future__ import annotations

import dataclasses
import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from magi_engine.config.official import MagiConfig, RuntimeConfig
from magi_engine.config.places import default_cache_dir, default_takes_dir
from magi_engine.config.registry import Registry, model_config
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.disk import free_bytes
from magi_engine.errors import InvalidRequestError, MagiError
from magi_engine.media.clips import ClipPart, ClipPlan, plan_clip
from magi_engine.messages import NOTHING, Message
from magi_engine.runtime.machine.devices import ITEM_BYTES, job_dtype
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.machine.speeds import Speed, Speeds, attention_weight, guessed
from magi_engine.runtime.planning.advice import Advice, Shortage, advise
from magi_engine.runtime.planning.costs import DitCosts, counted, decode_flops
from magi_engine.runtime.planning.placement import Placement, Sizes, place_together
from magi_engine.runtime.planning.sharing import (
    Sharing,
    known_together,
    share,
    together,
)
from magi_engine.runtime.planning.timing import (
    Times,
    held_for,
    ready_times,
    times_of,
    unknown_prompts,
)
from magi_engine.runtime.request.length import LengthPlan
from magi_engine.runtime.request.request import Along, GenerationRequest, Mode
from magi_engine.runtime.request.validation import (
    check_prompts,
    check_rate,
    check_start,
    validate,
    warnings_for,
)
from magi_engine.sampling.schedule import (
    Direction,
    Forward,
    SamplerSettings,
    Transition,
    forwards,
)
from magi_engine.takes.store import Take, TakeStore
from magi_engine.weights.files import weight_files
from magi_engine.weights.layout import FoundModel, entry_paths, find_model

_SLOW_S, _HOPELESS_S = 1800, 12 * 3600
BATCHING = ("cuda",)
"""Kinds of devices that compute several first chunks faster together than in turn. On a processor
it takes as long, and one would see none before all are done."""
_ENDLESS_S = 60
"""A video without an end is counted as one minute on the disk."""
_STEADY_CHUNKS = 12
"""By then the window is full and the history as deep as it gets."""
_SMALLER_TEXT_ENCODER = 4
"""How many times smaller it is in 8 bits than as it is released."""

# Rough, of detailed pictures: at the qualities of WriteOptions' defaults.
_BITS_PER_PIXEL = {".mp4": 0.4, ".webm": 0.3, ".gif": 8.0, ".webp": 1.0}
_PNG_BITS_PER_PIXEL = 14.0


class Pace(enum.Enum):
    """Whether one would wait for a video: for minutes, for hours, for more than half a day."""

    FAIR = "fair"
    SLOW = "slow"
    HOPELESS = "hopeless"


@dataclass(frozen=True)
class ChunkPlan:
    """A chunk of the result.

    Attributes:
        index: its number, from 0.
        frames: of the result that it holds.
        starts_s: when it begins in the video.
        ready_s: predicted seconds from the start until it can be seen.
    """

    index: int
    frames: range
    starts_s: float
    ready_s: float


@dataclass(frozen=True)
class JobPlan:
    """How a request is made on a machine: what a job executes, and what is shown of it before.

    Sizes are in bytes, times in seconds.

    Attributes:
        request: what was asked for.
        model: name in the registry, or of the configuration file.
        config: what the job runs with: the model's own, with the request's choices.
        device: ``cuda:0``, ``mps`` or ``cpu``.
        devices: those that compute together; the first is ``device`` and leads.
        along: further videos whose first chunks are sampled in one batch with this one's.
        dtype: number format of the blocks.
        length: chunks and frames.
        ways: to use memory, from the fastest that fits on.
        costs: of the transformer, for all that is sampled together.
        notices: what works but is known to look bad.
        vram_bytes: peak in the graphics card's memory; None: no card with its own memory takes
            part.
        ram_bytes: peak in the machine's memory.
        disk_bytes: what the video will take.
        times: what the seconds are spent with.
        ready_s: until each chunk can be seen; of a video without an end, its first chunks.
        chunk_s: from one chunk to the next, once the window is full.
        measured: whether the times rest on earlier generations on this machine; else they are a
            guess by the kind of device.
        shortage: what there is not enough of.
        problem: one sentence; empty if it fits.
        advice: changes with which it fits.
        impossible: whether it needs more memory than the machine has at all.
    """

    request: GenerationRequest
    model: str
    config: MagiConfig
    device: str
    dtype: str
    length: LengthPlan
    ways: tuple[Placement, ...]
    costs: DitCosts
    notices: tuple[Message, ...]
    vram_bytes: int | None
    ram_bytes: int
    disk_bytes: int
    times: Times
    ready_s: tuple[float, ...]
    chunk_s: float
    measured: bool
    shortage: Shortage | None
    problem: Message
    advice: tuple[Advice, ...] = ()
    impossible: bool = False
    devices: tuple[str, ...] = ("cpu",)
    along: tuple[Along, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether there is room for it."""
        return self.shortage is None

    @property
    def way_out(self) -> Message:
        """One thing to do where it does not fit."""
        if self.advice:
            return self.advice[0].sentence
        if self.shortage is Shortage.DISK:
            return Message("Free some space or use another disk.")
        return Message("Choose a smaller size, a smaller window or a smaller model.")

    @property
    def fps(self) -> int:
        """Frames per second of the result."""
        return self.config.runtime_config.fps

    @property
    def num_steps(self) -> int:
        """Denoising steps of a chunk."""
        return self.config.runtime_config.num_steps

    @property
    def num_chunks(self) -> int | None:
        """Chunks of the result; None: until stopped."""
        return self.length.result_chunks

    @property
    def seconds(self) -> float | None:
        """Until the video is finished; None: it has no end."""
        return None if self.num_chunks is None else self.times.all_s

    @property
    def pace(self) -> Pace:
        """Whether one would wait for it; of a video without an end, for its first chunks."""
        seconds = self.ready_s[-1] if self.seconds is None else self.seconds
        if seconds < _SLOW_S:
            return Pace.FAIR
        return Pace.SLOW if seconds < _HOPELESS_S else Pace.HOPELESS

    @property
    def soon(self) -> bool:
        """Whether one would wait for it at the screen."""
        return self.pace is Pace.FAIR

    @property
    def settings(self) -> SamplerSettings:
        """What the sampler runs with."""
        return SamplerSettings.from_config(self.config)

    def chunk(self, index: int) -> ChunkPlan:
        """A chunk of the result; of a video without an end, any."""
        known = min(index, len(self.ready_s) - 1)
        ready_s = self.ready_s[known] + (index - known) * self.chunk_s
        frames = self.length.frames_of(index)
        return ChunkPlan(index, frames, frames.start / self.fps, ready_s)

    def forwards(self, first: int | None = None) -> Iterator[Forward]:
        """What the transformer will be asked.

        Args:
            first: the chunk that is the first to be made, as the sampler counts; None: by the plan.
        """
        prefix = self.length.prefix_latents
        if first is not None:
            prefix = first * self.config.runtime_config.chunk_width
        direction = Direction(self.transitions())
        return forwards(self.settings, self.length.num_chunks, prefix, direction)

    def transitions(self) -> dict[int, Transition]:
        """Of the chunks that do not simply go on, as the sampler counts them."""
        first = self.length.first_chunk
        return {first + change.chunk: change.transition for change in self.request.prompts}


def plan(
    request: GenerationRequest,
    facts: MachineFacts,
    models_dir: Path | None = None,
    cache_dir: Path | None = None,
    takes_dir: Path | None = None,
) -> JobPlan:
    """How ``request`` is made on the machine of ``facts``. Reads small files, and of a video to go
    on from the times of its frames; takes some milliseconds.

    Raises:
        MagiError: the request cannot work at all.
    """
    cache_dir = cache_dir or default_cache_dir()
    speeds = Speeds.load(cache_dir)
    take = _take_of(request, takes_dir)
    outcome = _plan(request, facts, models_dir, cache_dir, speeds, take)
    if outcome.shortage is None:
        return outcome

    def can(changed: GenerationRequest) -> bool:
        try:
            return _plan(changed, facts, models_dir, cache_dir, speeds, take).fits
        except MagiError:
            return False

    advice = tuple(advise(request, outcome.shortage, can))
    return dataclasses.replace(outcome, advice=advice)


def _plan(
    request: GenerationRequest,
    facts: MachineFacts,
    models_dir: Path | None,
    cache_dir: Path,
    speeds: Speeds,
    take: Take | None,
) -> JobPlan:
    name, own = model_config(request.model, request.config_path)
    config = validate(request, own)
    runtime = config.runtime_config
    device = facts.device if request.device in ("auto", "cuda") else request.device
    on_card = device.startswith("cuda")
    dtype = job_dtype(request.dtype, device, facts.bfloat16_on_processor)
    found = _found(request, name, models_dir)
    vae = _vae_config(found, name, own, models_dir)
    prefix = prefix_latents(request, runtime) if take is None else take.prefix_latents
    check_prompts(request, runtime, prefix)
    shared = 0 if request.start is None else request.start.chunk
    length = LengthPlan.of(
        request.mode, request.num_frames, prefix, runtime, shared, request.only_chunks
    )
    if take is not None:
        earlier = GenerationRequest.from_json(take.about.request)
        check_start(request, length, earlier, take.chunks)
        check_rate(runtime.fps, take.about.fps)
        theirs = model_config(earlier.model, earlier.config_path)
        theirs = _autoencoder(_found(earlier, theirs[0], models_dir), *theirs, models_dir)
        if theirs != _autoencoder(found, name, own, models_dir):
            raise InvalidRequestError(
                "This model cannot go on with that video: its autoencoder is another.",
                "Choose the model that the video was made with: {model}.",
                model=earlier.model,
            )
    sizes = Sizes.of(
        config, vae, length.num_chunks, length.prefix_latents, ITEM_BYTES[dtype], on_card
    )
    quantised = config.engine_config.fp8_quant
    costs = DitCosts.of_model(
        config.model_config, sizes.tokens, attention_weight(device, quantised)
    )
    guess = guessed(
        facts,
        device,
        dtype,
        fp8=quantised and facts.fp8_in_hardware,
        weight_bytes=sizes.dit.total + sizes.vae_weights,
        text_bytes=_text_encoder_bytes(name, found),
    )
    alone = Sharing((device,), *speeds.expected(name, facts, device, dtype, sizes.tokens, guess))
    cards, model = request.cards, config.model_config
    count = together(cards, device, facts, model)
    known = known_together(speeds, count, name, facts, dtype, sizes.tokens, alone.speed)
    sharing = share(cards, device, facts, model, sizes.tokens, sizes.itemsize, costs, alone, known)
    speed, measured = sharing.speed, sharing.measured
    sizes = dataclasses.replace(sizes, ranks=len(sharing.devices))
    free = (facts.vram_free_bytes or 0) if on_card else None
    batched = request.only_chunks == 1 and take is None and sizes.ranks == 1
    others = request.along if batched and device.split(":")[0] in BATCHING else ()
    ways, count = place_together(sizes, len(others), free, facts.ram_free_bytes)
    placement, costs = ways[0], costs.times(1 + count)
    ready, denoise_s, decode_s = _course(
        length, config, vae, speed, costs, placement.decodes_beside
    )
    held = held_for(found, facts, device, dtype)
    along = others[:count]
    said = (*(change.text for change in request.prompts_from(shared)), *(o.prompt for o in along))
    unknown = unknown_prompts(said, found, config, cache_dir)
    times = times_of(speed, held, unknown, denoise_s, decode_s)
    disk = _video_file_bytes(request, length, runtime.fps, _frames_in_front(request, runtime, take))
    shortage, problem = _shortage(request, placement, disk, facts, on_card)
    return JobPlan(
        request=request,
        model=name,
        config=config,
        device=device,
        dtype=dtype,
        length=length,
        ways=ways,
        costs=costs,
        notices=(*_notices(request, config, own, device), *filter(None, [sharing.notice])),
        vram_bytes=placement.device_bytes if on_card else None,
        ram_bytes=placement.host_bytes,
        disk_bytes=disk,
        times=times,
        ready_s=tuple(times.before_s + seconds for seconds in [0.0] * shared + ready),
        chunk_s=max((b - a for a, b in itertools.pairwise(ready)), default=ready[0]),
        measured=measured,
        shortage=shortage,
        problem=problem,
        impossible=placement.host_bytes > facts.ram_total_bytes,
        devices=sharing.devices,
        along=along,
    )


def _notices(
    request: GenerationRequest, config: MagiConfig, own: MagiConfig, device: str
) -> Iterator[Message]:
    yield from warnings_for(config, own)
    if request.attention not in ("auto", "exact") and not device.startswith("cuda"):
        yield Message(
            "The attention {name!r} is for NVIDIA graphics cards; it is not used here.",
            name=request.attention,
        )
    if request.config_path is None and Registry.load().find(request.model).limits:
        runtime = own.runtime_config
        if (request.width, request.height) != (runtime.video_size_w, runtime.video_size_h):
            yield Message(
                "This model has only learned {width} x {height}: other sizes look wrong.",
                width=runtime.video_size_w,
                height=runtime.video_size_h,
            )


def _course(
    length: LengthPlan,
    config: MagiConfig,
    vae: VaeConfig,
    speed: Speed,
    costs: DitCosts,
    decodes_beside: bool,
) -> tuple[list[float], float, float]:
    """Seconds from the first step until each chunk is there, and what denoising and decoding take
    of that; of a video without an end, of its first chunks."""
    runtime, count = config.runtime_config, length.num_chunks
    if count is None:  # then the window stays full
        count = length.first_chunk + _STEADY_CHUNKS + runtime.window_size
    height, width = runtime.video_size_h, runtime.video_size_w
    flops = decode_flops(vae, Tile.released(runtime.fps), runtime.chunk_width, height, width)
    schedule = counted(SamplerSettings.from_config(config), count, length.prefix_latents)
    decode_s = flops / speed.vae_flops_per_s
    ready, denoise_s = ready_times(schedule, costs, speed, decode_s, decodes_beside)
    decode_s = ready[-1] - denoise_s
    return ready[:_STEADY_CHUNKS] if length.num_chunks is None else ready, denoise_s, decode_s


def _take_of(request: GenerationRequest, takes_dir: Path | None) -> Take | None:
    if request.start is None:
        return None
    return TakeStore(takes_dir or default_takes_dir()).find(request.start.take)


def prefix_latents(request: GenerationRequest, runtime: RuntimeConfig) -> int:
    """Latent frames of what a video starts from.

    Raises:
        MagiError: the clip cannot be read, or has too few frames.
    """
    clip = _clip_of(request, runtime)
    if clip is None:
        return int(request.mode is Mode.I2V)
    return clip.frames // runtime.temporal_downsample_factor


def _clip_of(request: GenerationRequest, runtime: RuntimeConfig) -> ClipPlan | None:
    """What of a video is gone on from; None: nothing. Errors as of :func:`prefix_latents`."""
    if request.mode is not Mode.V2V or request.reference is None:
        return None
    file = Path(request.reference)
    changed_ns = file.stat().st_mtime_ns if file.is_file() else 0
    return _planned_clip(file, runtime.fps, request.clip, changed_ns)


def timing_of(request: GenerationRequest) -> tuple[LengthPlan, float]:
    """The chunks of a video and its frames per second, which give the times of a storyboard.

    Raises:
        MagiError: as :func:`prefix_latents`, or the model is not known.
    """
    runtime = model_config(request.model, request.config_path)[1].runtime_config
    fps = request.sampling.fps or runtime.fps
    prefix = prefix_latents(request, dataclasses.replace(runtime, fps=fps))
    return LengthPlan.of(request.mode, request.num_frames, prefix, runtime), fps


@lru_cache(maxsize=32)
def _planned_clip(path: Path, fps: int, clip: ClipPart, _changed_ns: int) -> ClipPlan:
    return plan_clip(path, fps, clip)


def _vae_config(
    found: FoundModel | None, name: str, own: MagiConfig, models_dir: Path | None
) -> VaeConfig:
    """The model's autoencoder; the released one where its files are not there to say."""
    path = _autoencoder(found, name, own, models_dir) / "config.json"
    return VaeConfig.from_json(path) if path.is_file() else VaeConfig()


def _autoencoder(
    found: FoundModel | None, name: str, own: MagiConfig, models_dir: Path | None
) -> Path:
    entries = {entry.name: entry for entry in Registry.load().entries}
    if found is not None:
        return found.files.autoencoder
    if name in entries:
        return entry_paths(entries[name], models_dir).autoencoder
    return Path(own.runtime_config.vae_pretrained)


def _frames_in_front(request: GenerationRequest, runtime: RuntimeConfig, take: Take | None) -> int:
    """Frames of the file before the first chunk."""
    if take is not None:
        return take.about.source_frames
    clip = _clip_of(request, runtime) if request.prepend_source else None
    return 0 if clip is None else clip.source_frames


def _video_file_bytes(
    request: GenerationRequest, length: LengthPlan, fps: int, in_front: int
) -> int:
    if request.output is None:
        return 0
    frames = in_front + (length.num_frames or _ENDLESS_S * fps)
    bits = _BITS_PER_PIXEL.get(Path(request.output).suffix.lower(), _PNG_BITS_PER_PIXEL)
    return int(frames * request.width * request.height * bits / 8)


def _shortage(
    request: GenerationRequest, placement: Placement, disk: int, facts: MachineFacts, on_card: bool
) -> tuple[Shortage | None, Message]:
    if on_card and placement.device_bytes > (facts.vram_free_bytes or 0):
        return Shortage.VRAM, _too_little(
            placement.device_bytes, Message("graphics memory"), facts.vram_free_bytes or 0
        )
    if placement.host_bytes > facts.ram_free_bytes:
        return Shortage.RAM, _too_little(
            placement.host_bytes, Message("memory"), facts.ram_free_bytes
        )
    if request.output is not None:
        free = free_bytes(Path(request.output).parent)
        if disk > free:
            return Shortage.DISK, _too_little(disk, Message("room on the disk"), free)
    return None, NOTHING


def _too_little(needed: int, what: Message, free: int) -> Message:
    return Message(
        "This needs {needed:bytes} of {what}; {free:bytes} are free.",
        needed=needed,
        what=what,
        free=free,
    )


def _found(request: GenerationRequest, name: str, models_dir: Path | None) -> FoundModel | None:
    """The model, if its files are there."""
    try:
        return find_model(request.config_path or name, models_dir)
    except MagiError:
        return None


def _text_encoder_bytes(name: str, found: FoundModel | None) -> int:
    """Size of the text encoder's files, here or as it will be once it is small."""
    if found is not None:
        files = weight_files(found.files.text_encoder)
        return sum(path.stat().st_size for path in files)
    entries = {entry.name: entry for entry in Registry.load().entries}
    release = entries[name].release if name in entries else None
    return 0 if release is None else release.text_encoder_bytes // _SMALLER_TEXT_ENCODER
