"""What a generation will take, before it is started. Needs no PyTorch."""

from __future__ import annotations

import dataclasses
import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from magi_engine.config.official import MagiConfig, RuntimeConfig
from magi_engine.config.places import default_cache_dir
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.config.sizes import SIZE_MULTIPLE
from magi_engine.config.vae import VaeConfig
from magi_engine.errors import MagiError
from magi_engine.media.clips import ClipPartKind
from magi_engine.messages import NOTHING, Message
from magi_engine.resources import resource_path
from magi_engine.runtime.choice import model_config
from magi_engine.runtime.devices import job_dtype
from magi_engine.runtime.machine import MachineFacts, disk_free_bytes
from magi_engine.runtime.placement import Placement, Sizes, place
from magi_engine.runtime.plan import plan_length
from magi_engine.runtime.request import GenerationRequest, Mode
from magi_engine.runtime.speeds import Speeds, attention_weight, guessed
from magi_engine.runtime.timing import Course, Times, held_for, times_of, unknown_prompts
from magi_engine.runtime.validation import validate
from magi_engine.weights.files import weight_files
from magi_engine.weights.layout import FoundModel, entry_paths, find_model

_USUAL_S = 4
_ENDLESS_S = 60
"""A video without an end is counted as one minute on the disk."""
_RELEASED_CLIP_FRAMES = 32
_SMALLEST_SIDE = 128
_ITEM_BYTES = {"float32": 4, "bfloat16": 2}
_SMALLER_TEXT_ENCODER = 4
"""How many times smaller it is in 8 bits than as it is released."""

# Rough, of detailed pictures: at the qualities of WriteOptions' defaults.
_BITS_PER_PIXEL = {".mp4": 0.4, ".webm": 0.3, ".gif": 8.0, ".webp": 1.0}
_PNG_BITS_PER_PIXEL = 14.0


class Shortage(enum.Enum):
    """What there is not enough of."""

    VRAM = "vram"
    RAM = "ram"
    DISK = "disk"


class AdviceKind(enum.Enum):
    """What to change so that a generation fits."""

    SMALLER = "smaller picture"
    NARROWER_WINDOW = "fewer chunks at a time"
    LIGHTER_MODEL = "lighter model"
    SHORTER = "shorter video"


@dataclass(frozen=True)
class Advice:
    """One change with which the generation fits; what is None stays as it is."""

    kind: AdviceKind
    sentence: Message
    width: int | None = None
    height: int | None = None
    window_size: int | None = None
    model: str | None = None
    num_frames: int | None = None

    def applied(self, request: GenerationRequest) -> GenerationRequest:
        """The request with this change made."""
        changes = {
            name: getattr(self, name)
            for name in ("width", "height", "model", "num_frames")
            if getattr(self, name) is not None
        }
        if self.window_size is not None:
            changes["sampling"] = dataclasses.replace(
                request.sampling, window_size=self.window_size
            )
        return dataclasses.replace(request, **changes)


@dataclass(frozen=True)
class Preflight:
    """The estimate. Sizes are in bytes, times in seconds."""

    placement: Placement
    vram_bytes: int | None
    """Peak in the graphics card's memory; None: no card with its own memory takes part."""
    ram_bytes: int
    """Peak in the machine's memory."""
    disk_bytes: int
    """What the video will take."""
    seconds: float | None
    """Until the video is finished; None: it has no end, or nothing is known of the speed."""
    first_chunk_s: float | None
    """Until the first chunk can be seen."""
    chunk_s: float | None
    """From one chunk to the next, once the window is full."""
    times: Times
    """Of which parts the seconds consist."""
    measured: bool
    """Whether the times rest on earlier generations on this machine; else they are a guess by
    the kind of device."""
    shortage: Shortage | None
    problem: Message
    """One sentence; empty if it fits."""
    advice: tuple[Advice, ...]

    @property
    def fits(self) -> bool:
        """Whether there is room for it."""
        return self.shortage is None


def estimate(
    request: GenerationRequest,
    facts: MachineFacts,
    models_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> Preflight:
    """What ``request`` will take on the machine of ``facts``; reads small files, takes some ms.

    The length of a v2v reference is taken to be that of the official release, 32 frames, unless
    the request gives seconds.

    Raises:
        MagiError: the request cannot work at all; the same that the job would say.
    """
    cache_dir = cache_dir or default_cache_dir()
    speeds = Speeds.load(cache_dir)
    outcome = _measure(request, facts, models_dir, cache_dir, speeds)
    if outcome.shortage is None:
        return outcome
    return dataclasses.replace(
        outcome,
        advice=tuple(_advice(request, outcome.shortage, facts, models_dir, cache_dir, speeds)),
    )


def estimate_model(
    entry: ModelEntry,
    facts: MachineFacts,
    models_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> Preflight:
    """Whether a model runs on a machine: four seconds of video as it is usually made."""
    return estimate(_usual_request(entry), facts, models_dir, cache_dir)


def _usual_request(entry: ModelEntry) -> GenerationRequest:
    runtime = MagiConfig.from_json(resource_path(entry.config)).runtime_config
    return GenerationRequest(
        mode=Mode.T2V,
        model=entry.name,
        width=runtime.video_size_w,
        height=runtime.video_size_h,
        num_frames=_USUAL_S * runtime.fps,
    )


def _measure(
    request: GenerationRequest,
    facts: MachineFacts,
    models_dir: Path | None,
    cache_dir: Path,
    speeds: Speeds,
) -> Preflight:
    name, own = model_config(request.model, request.config_path)
    config = validate(request, own)
    runtime = config.runtime_config
    device = facts.device if request.device in ("auto", "cuda") else request.device
    on_card = device.startswith("cuda")
    dtype = job_dtype(request.dtype, device, facts.bfloat16_on_processor)
    found = _found(request, name, models_dir)
    vae = _vae_config(found, name, own, models_dir)
    prefix = _prefix_latents(request, runtime)
    plan = plan_length(request.mode, request.num_frames, prefix, runtime)
    sizes = Sizes.of(config, vae, plan.num_chunks, prefix, _ITEM_BYTES[dtype], on_card)
    free = (facts.vram_free_bytes or 0) if on_card else None
    placement = place(sizes, free, facts.ram_free_bytes)

    quantised = config.engine_config.fp8_quant
    speed = guessed(
        device,
        facts.device_name,
        facts.cores,
        dtype,
        fp8=quantised and facts.fp8_in_hardware,
        weight_bytes=sizes.dit.total + sizes.vae_weights,
        text_bytes=_text_encoder_bytes(name, found),
    )
    key = name, facts.device_name if on_card else facts.processor, dtype
    known = speeds.measured(*key, sizes.tokens)
    speed = speed if known is None else known.or_else(speed)
    course = Course.of(
        config,
        vae,
        speed,
        attention_weight(device, quantised),
        sizes.tokens,
        plan,
        placement.decodes_beside,
    )
    held = held_for(found, facts, device, dtype)
    unknown = unknown_prompts(request, found, config, cache_dir)
    times = times_of(speed, held, unknown, course)
    disk = _video_file_bytes(request, runtime.fps)
    shortage, problem = _shortage(request, placement, disk, facts, on_card)
    return Preflight(
        placement=placement,
        vram_bytes=placement.device_bytes if on_card else None,
        ram_bytes=placement.host_bytes,
        disk_bytes=disk,
        seconds=None if plan.num_chunks is None else times.all_s,
        first_chunk_s=times.before_s + course.first_s,
        chunk_s=course.pace_s,
        times=times,
        measured=known is not None,
        shortage=shortage,
        problem=problem,
        advice=(),
    )


def _prefix_latents(request: GenerationRequest, runtime: RuntimeConfig) -> int:
    if request.mode is Mode.T2V:
        return 0
    if request.mode is Mode.I2V:
        return 1
    clip = request.clip
    if clip.kind is ClipPartKind.RANGE:
        frames = (clip.end_s - clip.start_s) * runtime.fps
    else:
        frames = _RELEASED_CLIP_FRAMES if clip.seconds is None else clip.seconds * runtime.fps
    return max(1, int(frames) // runtime.temporal_downsample_factor)


def _vae_config(
    found: FoundModel | None, name: str, own: MagiConfig, models_dir: Path | None
) -> VaeConfig:
    """The model's autoencoder; the released one where its files are not there to say."""
    folder = Path(own.runtime_config.vae_pretrained)
    entries = {entry.name: entry for entry in Registry.load().entries}
    if found is not None:
        folder = found.files.autoencoder
    elif name in entries:
        folder = entry_paths(entries[name], models_dir).autoencoder
    path = folder / "config.json"
    return VaeConfig.from_json(path) if path.is_file() else VaeConfig()


def _video_file_bytes(request: GenerationRequest, fps: int) -> int:
    if request.output is None:
        return 0
    frames = request.num_frames or _ENDLESS_S * fps
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
        free = disk_free_bytes(Path(request.output).parent)
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


def _advice(
    request: GenerationRequest,
    shortage: Shortage,
    facts: MachineFacts,
    models_dir: Path | None,
    cache_dir: Path,
    speeds: Speeds,
) -> Iterator[Advice]:
    """Changes with which it fits, each of them tried."""

    def fits(advice: Advice) -> bool:
        try:
            return _measure(advice.applied(request), facts, models_dir, cache_dir, speeds).fits
        except MagiError:
            return False

    if shortage is Shortage.DISK:
        candidates = (_shorter(request, share) for share in (0.75, 0.5, 0.25, 0.1))
        yield from itertools.islice(filter(fits, candidates), 1)
        return
    sentence = Message("Denoise one chunk at a time.")
    yield from filter(fits, (Advice(AdviceKind.NARROWER_WINDOW, sentence, window_size=1),))
    yield from itertools.islice(filter(fits, _smaller(request)), 1)
    yield from itertools.islice(filter(fits, _lighter(request)), 1)


def _smaller(request: GenerationRequest) -> Iterator[Advice]:
    """Sizes of about the same shape, the largest first."""
    short = min(request.width, request.height)
    for side in range(short - SIZE_MULTIPLE, _SMALLEST_SIDE - 1, -SIZE_MULTIPLE):
        width, height = (
            max(SIZE_MULTIPLE, round(n * side / short / SIZE_MULTIPLE) * SIZE_MULTIPLE)
            for n in (request.width, request.height)
        )
        sentence = Message("Make the picture {width}x{height}.", width=width, height=height)
        yield Advice(AdviceKind.SMALLER, sentence, width=width, height=height)


def _lighter(request: GenerationRequest) -> Iterator[Advice]:
    """Downloadable models that do the same with less memory, the most similar first."""
    if request.config_path is not None:
        return
    registry = Registry.load()
    size = registry.find(request.model).transformer_bytes or 0
    lighter = [e for e in registry.entries if 0 < (e.transformer_bytes or 0) < size]
    for entry in sorted(lighter, key=lambda e: -(e.transformer_bytes or 0)):
        sentence = Message("Use {title}.", title=entry.title)
        yield Advice(AdviceKind.LIGHTER_MODEL, sentence, model=entry.name)


def _shorter(request: GenerationRequest, share: float) -> Advice:
    frames = max(1, int((request.num_frames or 0) * share))
    sentence = Message("Make {frames} frames.", frames=frames)
    return Advice(AdviceKind.SHORTER, sentence, num_frames=frames)
