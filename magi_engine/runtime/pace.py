"""How fast a job computes, for the estimates of the next ones."""

from __future__ import annotations

from collections.abc import Iterator

from magi_engine.config.official import MagiConfig
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.runtime.speeds import Speed
from magi_engine.runtime.workload import DitCosts, Schedule, Step, chunk_tokens, decode_flops


class PaceMeter:
    """Sets the operations of a job against the seconds they took.

    The first step and, if there are more, the first decoding are left out: they are slower, since
    kernels are chosen and memory is taken then.

    Args:
        config: what the job runs with.
        attention_weight: see :func:`magi_engine.runtime.speeds.attention_weight`.
    """

    def __init__(
        self, config: MagiConfig, vae: VaeConfig, schedule: Schedule, attention_weight: float
    ) -> None:
        self.tokens = chunk_tokens(config, vae)
        self._config, self._vae = config, vae
        self._weight = attention_weight
        self._costs = DitCosts.of(config.model_config, self.tokens)
        self._steps: Iterator[Step] = schedule.steps()
        self._denoised: list[tuple[float, float]] = []
        self._decoded: list[tuple[float, float]] = []

    def step_done(self, seconds: float) -> None:
        """Note the next step of the window."""
        forwards = next(self._steps).forwards
        flops = sum(self._costs.of_forward(forward, self._weight) for forward in forwards)
        self._denoised.append((flops, seconds))

    def chunk_done(self, latent_frames: int, seconds: float) -> None:
        """Note a chunk that was decoded with nothing beside it."""
        runtime = self._config.runtime_config
        flops = decode_flops(
            self._vae,
            Tile.released(runtime.fps),
            latent_frames,
            runtime.video_size_h,
            runtime.video_size_w,
        )
        self._decoded.append((flops, seconds))

    def speed(self, load_s: float) -> Speed | None:
        """What was measured; None if the job was too short to tell."""
        denoised = self._denoised[1:]
        decoded = self._decoded[1:] or self._decoded
        if not denoised or not decoded:
            return None
        return Speed(_rate(denoised), _rate(decoded), load_s)


def _rate(pairs: list[tuple[float, float]]) -> float:
    flops, seconds = map(sum, zip(*pairs, strict=True))
    return flops / max(seconds, 1e-6)
