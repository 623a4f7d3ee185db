"""What the benchmark on a GPU runs."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from magi_engine.config.official import ModelConfig
from magi_engine.ops.backends import EXACT, FASTEST
from magi_engine.sampling.schedule import SamplerSettings

_SHORTENED = 12
"""Chunks of the scenarios that are about a steady state."""

FULL = ModelConfig(34, 3072, 12288, 24, 8, 128)
TINY = ModelConfig(3, 256, 512, 8, 8, 32, caption_channels=64, params_dtype="torch.float32")


class Way(enum.Enum):
    """Which of the memory plan's ways a scenario runs in."""

    RESIDENT = "everything on the card"
    HISTORY_ON_HOST = "clean chunks' keys and values in the host's memory"
    STREAMED = "these and all layers' weights in the host's memory"


@dataclass(frozen=True)
class Scenario:
    """One video. ``chunks`` of 24 frames each, of which the first ``made`` are waited for;
    ``vae``: each is decoded."""

    name: str
    pixels: int
    steps: int
    window: int
    chunks: int
    vae: bool = False
    made: int | None = None
    way: Way = Way.RESIDENT
    attention: str = EXACT


_LONG = 62
"""Chunks of the scenario that compares late ones with early ones."""

SCENARIOS = (
    Scenario("720 w1", 720, 16, 1, 4, vae=True, made=2),
    Scenario("720 w1, history on host", 720, 16, 1, 4, vae=True, made=2, way=Way.HISTORY_ON_HOST),
    Scenario("720 w1, streamed", 720, 16, 1, 4, vae=True, made=2, way=Way.STREAMED),
    Scenario("720 w4", 720, 16, 4, 4),
    Scenario("720 w4, vae", 720, 8, 4, 4, vae=True, made=1),
    Scenario("480 w4", 480, 8, 4, _SHORTENED, vae=True),
    Scenario("384 w4", 384, 8, 4, _SHORTENED, vae=True),
    Scenario("384 w1", 384, 8, 1, 16, vae=True),
    Scenario("720 w4, quantised", 720, 16, 4, 4, attention=FASTEST),
    Scenario("720 w1, quantised", 720, 16, 1, 4, vae=True, made=2, attention=FASTEST),
    Scenario(
        "720 w1, streamed, quantised", 720, 16, 1, 4,
        vae=True, made=2, way=Way.STREAMED, attention=FASTEST,
    ),
    Scenario("480 w4, quantised", 480, 8, 4, _SHORTENED, vae=True, attention=FASTEST),
    Scenario("384 w4, quantised", 384, 8, 4, _SHORTENED, vae=True, attention=FASTEST),
    Scenario("384 w1, quantised", 384, 8, 1, 16, vae=True, attention=FASTEST),
    Scenario("384 w4, long", 384, 8, 4, _LONG, attention=FASTEST),
    Scenario("384 w1, long", 384, 8, 1, 32, attention=FASTEST),
)  # fmt: skip


@dataclass
class Outcome:
    """What a scenario took. Seconds; the floor is the DiT's, at the rates of this run. A chunk is
    done when its frames are on the host, where there are any.

    ``held_gib``: after each chunk, what PyTorch holds of the GPU's memory, and the process of
    the host's."""

    name: str
    first_chunk_s: float
    total_s: float
    steady_chunk_s: float
    frames_per_s: float
    floor_s: float
    ratio_to_floor: float
    chunk_s: list[float]
    peak_vram_gib: float
    reserved_vram_gib: float
    predicted_vram_gib: float
    held_gib: list[tuple[float, float]]
    host_gib: float
    way: str
    vae_s: list[float] = field(default_factory=list)


def settings_of(scenario: Scenario) -> SamplerSettings:
    """Of the released distilled configuration."""
    return SamplerSettings(
        num_steps=scenario.steps,
        window_size=scenario.window,
        cfg_number=1,
        cfg_t_range=(0.0,),
        prev_chunk_scales=(1.0,),
        text_scales=(1.0,),
        noise2clean_kvrange=(5, 4, 3, 2),
        clean_chunk_kvrange=1,
        clean_t=0.9999,
        chunk_width=6,
        shortcut_mode="8,16,16",
        distill=True,
        distill_nearly_clean_chunk_threshold=0.3,
    )
