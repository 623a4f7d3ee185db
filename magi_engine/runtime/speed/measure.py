"""Measures how fast this machine makes videos: the same sampler, decoder and memory plan as a job.

On a graphics card it is the 4.5B model with random weights; elsewhere the pocket model.
"""

from __future__ import annotations

import dataclasses
import platform
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

from magi_engine import __version__
from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import Registry
from magi_engine.messages import Message
from magi_engine.ops.backends import ChosenAttention
from magi_engine.ops.fp8 import E4M3
from magi_engine.resources import resource_path
from magi_engine.runtime.job.decoding import ChunkDecoder
from magi_engine.runtime.job.warm_up import warm_up
from magi_engine.runtime.machine.devices import choose_device, choose_dtype
from magi_engine.runtime.machine.facts import device_name
from magi_engine.runtime.machine.streams import DeviceEvent
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.models.memory import PlannedMemory, free_bytes
from magi_engine.runtime.planning.costs import Counted, DitCosts, chunk_tokens, counted
from magi_engine.runtime.planning.placement import Sizes, place
from magi_engine.runtime.process.control import ControlBox
from magi_engine.runtime.speed.random_model import RandomModel
from magi_engine.runtime.speed.rates import attention_rate, copy_rate, floor_s, product_rates
from magi_engine.runtime.speed.report import Measuring, SpeedReport, VideoSpeed
from magi_engine.sampling.events import ChunkDone, StepDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.weights.layout import FoundModel, entry_paths, find_model

_BUDGET_S = 60.0
_CHUNKS = 4
"""Of each video: four seconds at 24 frames a second."""
_CAPTION_TOKENS = 120
_ON_CARD = "4.5B-distill-fp8"
_ELSEWHERE = "pocket"
_CARD_VIDEOS = ((480, 8), (720, 8), (480, 16), (720, 16))
"""Pixels of a side, and steps; the quicker ones first."""
_COPIED_BYTES = 1 << 28


@dataclass(frozen=True)
class _Rates:
    products: float
    attention: float


def measure(
    box: ControlBox,
    device: str = "auto",
    cache_dir: Path | None = None,
    budget_s: float = _BUDGET_S,
) -> Generator[Measuring, None, SpeedReport]:
    """Measure, telling how far it has got; its result is the report.

    Args:
        budget_s: about how long it may take; what would take longer is computed in part.

    Raises:
        JobCancelled: the box was told to.
        MagiError: it cannot be.
    """
    begin = time.monotonic()
    yield Measuring(0.0, Message("Making a model to measure with"))
    where = choose_device(device)
    if where.type == "cuda":
        torch.cuda.set_device(where)
    model = _model(where, cache_dir)
    try:
        with torch.inference_mode():
            model.load_dit()
            model.load_vae()
        box.raise_if_cancelled()
        yield Measuring(0.05, Message("Measuring products and attention"))
        config = model.found.config
        with torch.inference_mode():
            rates, copies = _rates(model)
        videos = list[VideoSpeed]()
        cases = _cases(config, model.device)
        for index, (pixels, steps) in enumerate(cases):
            left_s = max(1.0, budget_s - (time.monotonic() - begin)) / (len(cases) - index)
            shown = Message(
                "A video of {width} x {height} in {steps:step|steps}",
                width=pixels[0],
                height=pixels[1],
                steps=steps,
            )
            for event in _video(model, rates, pixels, steps, left_s, box):
                if isinstance(event, VideoSpeed):
                    videos.append(event)
                else:
                    done = (index + event) / len(cases)
                    yield Measuring(0.1 + 0.9 * done, shown)
        return _report(model, rates, copies, videos)
    finally:
        model.unload()


def _model(device: torch.device, cache_dir: Path | None) -> LoadedModel:
    dtype = choose_dtype("auto", device)
    if device.type != "cuda":
        return LoadedModel(find_model(_ELSEWHERE), device, dtype, cache_dir)
    entry = Registry.load().find(_ON_CARD)
    config = MagiConfig.from_json(resource_path(entry.config))
    found = FoundModel(entry.name, str(entry.title), config, entry_paths(entry), entry)
    return RandomModel(found, device, dtype, cache_dir)


def _cases(config: MagiConfig, device: torch.device) -> list[tuple[tuple[int, int], int]]:
    if device.type == "cuda":
        return [((side, side), steps) for side, steps in _CARD_VIDEOS]
    runtime = config.runtime_config
    return [((runtime.video_size_w, runtime.video_size_h), steps) for steps in (8, 16)]


def _rates(model: LoadedModel) -> tuple[_Rates, float]:
    config, device = model.found.config, model.device
    vae = model.vae.config
    shape, tokens = config.model_config, chunk_tokens(config, vae)
    products = product_rates(shape, tokens, device, model.dtype)
    fastest = products.get(E4M3, products[model.dtype])
    if not config.engine_config.fp8_quant:
        fastest = products[model.dtype]
    attend = model.kernels.attention
    attention = max(
        attention_rate(shape, tokens, chunks, device, model.dtype, attend) for chunks in (1, 4)
    )
    return _Rates(fastest, attention), copy_rate(_COPIED_BYTES, device)


def _video(
    model: LoadedModel,
    rates: _Rates,
    pixels: tuple[int, int],
    steps: int,
    limit_s: float,
    box: ControlBox,
) -> Generator[float | VideoSpeed]:
    """Shares of a video that are done, then what it takes."""
    width, height = pixels
    own = model.found.config
    runtime = dataclasses.replace(
        own.runtime_config, video_size_w=width, video_size_h=height, num_steps=steps
    )
    config = dataclasses.replace(own, runtime_config=runtime)
    settings = SamplerSettings.from_config(config)
    on_card = model.device.type == "cuda"
    itemsize = model.dtype.itemsize
    sizes = Sizes.of(config, model.vae.config, _CHUNKS, 0, itemsize, on_card)
    frames = _CHUNKS * runtime.chunk_width * runtime.temporal_downsample_factor
    about = VideoSpeed(width, height, steps, settings.window_size, frames)
    free = free_bytes(model.device) + model.held_bytes() if on_card else None
    ways = place(sizes, free, free_bytes(torch.device("cpu")))
    if free is not None and ways[0].device_bytes > free:
        yield dataclasses.replace(about, problem="does not fit on this graphics card")
        return
    memory = PlannedMemory(model, ways)
    sides = height // model.pixels_per_latent, width // model.pixels_per_latent
    for _ in warm_up(model, memory, settings, *sides, _CHUNKS):
        box.raise_if_cancelled()
    decode_s = _decoding_s(model, sides)
    if on_card:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(model.device)
    schedule = counted(settings, _CHUNKS, 0)
    costs = DitCosts.of_model(config.model_config, sizes.tokens)
    whole, done = sum(map(costs.of, schedule)), 0.0
    caption = torch.randn(_CAPTION_TOKENS, config.model_config.caption_channels)
    decoder, streams = ChunkDecoder(model, memory), model.kernels.streams
    queued: deque[tuple[float, DeviceEvent]] = deque()
    decoded = 0
    begin = time.perf_counter()
    for event in Sampler(model.dit, settings, memory=memory).sample(
        height=sides[0],
        width=sides[1],
        captions=model.caption_track(caption, ()),
        noise=SeededNoise(0),
        num_chunks=_CHUNKS,
    ):
        box.raise_if_cancelled()
        if isinstance(event, ChunkDone):
            decoder.begin(event.index, event.latents)
            decoded += sum(1 for chunk in decoder.ready() if len(chunk.frames()))
        elif isinstance(event, StepDone):
            queued.append((costs.of(Counted.of(event.forward)), streams.record()))
            while len(queued) > streams.steps_ahead:
                done += _waited(queued)
            yield done / whole
            if time.perf_counter() - begin > limit_s:
                break
    while queued:
        done += _waited(queued)
    decoded += sum(1 for chunk in decoder.rest() if len(chunk.frames()))
    seconds, made = time.perf_counter() - begin, min(1.0, done / whole)
    if decoded < _CHUNKS:
        seconds = max(0.0, seconds - decoded * decode_s) / made + _CHUNKS * decode_s
    else:
        made = 1.0
    counts = sum(f.chunks for f in schedule), sum(f.pairs for f in schedule)
    yield dataclasses.replace(
        about,
        seconds=seconds,
        made=made,
        floor_s=floor_s(
            config.model_config, sizes.tokens, *counts, rates.products, rates.attention
        ),
        device_bytes=torch.cuda.max_memory_reserved(model.device) if on_card else None,
    )


def _waited(queued: deque[tuple[float, DeviceEvent]]) -> float:
    """Operations of the oldest step, once it is done."""
    operations, event = queued.popleft()
    event.wait()
    return operations


def _decoding_s(model: LoadedModel, sides: tuple[int, int]) -> float:
    """Seconds of decoding one chunk by itself."""
    config = model.found.config
    shape = 1, config.model_config.latent_channels, config.runtime_config.chunk_width, *sides
    latents = torch.randn(shape, device=model.device)
    begin = time.perf_counter()
    model.decode(latents)[0].cpu()
    return time.perf_counter() - begin


def _report(
    model: LoadedModel, rates: _Rates, copies: float, videos: list[VideoSpeed]
) -> SpeedReport:
    kernels = model.kernels
    attend = kernels.attention
    used = "PyTorch"
    if isinstance(attend, ChosenAttention):
        chosen = [t for t in attend.timings if t.chosen and not t.exact]
        chosen = chosen or [t for t in attend.timings if t.chosen]
        used = chosen[0].backend if chosen else used
    return SpeedReport(
        version=__version__,
        date=time.strftime("%Y-%m-%d"),
        device=device_name(model.device),
        system=platform.platform(terse=True),
        torch=torch.__version__,
        model=model.found.name,
        random_weights=isinstance(model, RandomModel),
        kernels=kernels.plain.name,
        slow_because=None if kernels.slow_because is None else str(kernels.slow_because),
        attention=used,
        products_per_s=rates.products,
        attention_per_s=rates.attention,
        copies_per_s=copies,
        videos=tuple(videos),
    )
