"""Where the parts of a model live while it generates, and what that takes. Needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from magi_engine.config.official import MagiConfig
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.runtime.footprint import (
    DitWeights,
    cache_bytes,
    dit_activation_bytes,
    vae_activation_bytes,
    vae_weight_bytes,
    video_bytes,
)
from magi_engine.runtime.workload import Schedule, tile_grid

_PROCESS_BYTES = 700_000_000
"""Python with PyTorch, nothing loaded."""
_CUDA_PROCESS_BYTES = 2_000_000_000
"""The same with the libraries of a graphics card."""

_TILES_AT_ONCE = 8
"""What the autoencoder takes together."""


@dataclass(frozen=True)
class Sizes:
    """What a request makes of a model, in bytes.

    Attributes:
        dit, vae: weights.
        cache: keys and values.
        denoising, decoding: the most that one of these holds beside all that; never both at once.
    """

    dit: DitWeights
    vae: int
    cache: int
    denoising: int
    decoding: int

    @classmethod
    def of(
        cls,
        config: MagiConfig,
        vae: VaeConfig,
        schedule: Schedule,
        tokens: int,
        itemsize: int,
        on_card: bool,
    ) -> Sizes:
        """Of a job whose numbers have ``itemsize`` bytes, with ``tokens`` in a chunk."""
        model, fp8 = config.model_config, config.engine_config.fp8_quant
        chunks = schedule.widest_forward()
        runtime = config.runtime_config
        tile = Tile.released(runtime.fps)
        grid = tile_grid(vae, tile, runtime.video_size_h, runtime.video_size_w)
        tiles = min(_TILES_AT_ONCE, len(grid))
        return cls(
            DitWeights.of(model, fp8, itemsize),
            vae_weight_bytes(vae, itemsize),
            cache_bytes(model, schedule.cache_chunks(), tokens, itemsize),
            dit_activation_bytes(model, chunks, tokens, itemsize, fp8, fused=on_card),
            vae_activation_bytes(vae, tile, tiles, itemsize) + video_bytes(config),
        )

    @property
    def peak(self) -> int:
        """All of it together, at its most."""
        kept = self.dit.total + self.vae + self.cache
        return kept + max(self.denoising, self.decoding)


@dataclass(frozen=True)
class Placement:
    """One way to run a request. Sizes are in bytes.

    Attributes:
        device_bytes: predicted peak in the device's memory; what the driver takes is not in it.
        host_bytes: the same of the host's memory. If the device is the CPU, all of it is here.
    """

    device_bytes: int
    host_bytes: int


def place(sizes: Sizes, on_card: bool) -> Placement:
    """Everything on the device, which is a graphics card or the processor itself."""
    if on_card:
        return Placement(sizes.peak, _CUDA_PROCESS_BYTES)
    return Placement(sizes.peak, sizes.peak + _PROCESS_BYTES)
