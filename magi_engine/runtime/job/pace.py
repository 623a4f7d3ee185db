"""How fast a job computes, for the estimates of the next ones."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from types import TracebackType

from magi_engine.config.official import MagiConfig
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.runtime.machine.speeds import Speed
from magi_engine.runtime.planning.costs import Counted, DitCosts, chunk_tokens, decode_flops
from magi_engine.sampling.schedule import Forward

_SLOW = 2.0
"""Steps that take so many times longer than usual for what they compute are left out."""


class Clock:
    """Adds up the seconds spent in its ``with`` blocks.

    Attributes:
        seconds: of all blocks; None: there was none yet.
        blocks: how many there were.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.blocks = 0
        self._begun = 0.0

    def __enter__(self) -> None:
        self._begun = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds = (self.seconds or 0.0) + time.monotonic() - self._begun
        self.blocks += 1

    @property
    def mean_s(self) -> float | None:
        """Of a block; None: there was none yet."""
        return None if self.seconds is None else self.seconds / self.blocks


class Preparation:
    """The clocks of what comes before the first step; those of what is there already stand still.

    Attributes:
        loading_text: loading the text encoder.
        encoding: each prompt that was not known.
        loading: loading the transformer and the autoencoder.
        warming: preparing for a size.
    """

    def __init__(self) -> None:
        self.loading_text, self.encoding, self.loading = Clock(), Clock(), Clock()
        self.warming = Clock()


class PaceMeter:
    """Measures how many operations a second a job computes.

    Steps that are much slower than the others are left out: kernels are chosen and memory is
    taken then. After loading they are the warm-up.

    Args:
        config: what the job runs with.
        costs: of the transformer.
    """

    def __init__(self, config: MagiConfig, vae: VaeConfig, costs: DitCosts) -> None:
        self.tokens = chunk_tokens(config, vae)
        self._config, self._vae = config, vae
        self._costs, self._videos = costs, 1
        self._denoised: list[tuple[float, float]] = []
        self._decoded: list[tuple[float, float]] = []

    def alone_after_all(self, videos: int) -> None:
        """Note that from here on one video is computed, where the costs are those of a batch."""
        self._videos = videos
        self._denoised.clear()

    def step_done(self, forward: Forward, seconds: float) -> None:
        """Note a step of the window."""
        self._denoised.append((self.operations(forward), seconds))

    def operations(self, forward: Forward) -> float:
        """What a step of the window computes."""
        return self._costs.of(Counted.of(forward))

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

    def speed(self, before: Preparation) -> Speed | None:
        """What was measured, with what came before; None if the job was too short to tell."""
        if len(self._denoised) < 2 or not self._decoded:
            return None
        dit, dit_excess_s = _rate_and_excess(self._denoised)
        vae, vae_excess_s = _rate_and_excess(self._decoded)
        loaded = before.loading.seconds is not None
        warm_up_s = (before.warming.seconds or 0.0) + dit_excess_s + vae_excess_s
        return Speed(
            dit / self._videos,
            vae,
            load_s=before.loading.seconds,
            text_load_s=before.loading_text.seconds,
            encode_s=before.encoding.mean_s,
            warm_up_s=warm_up_s if loaded else None,
        )


def _rate_and_excess(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Operations a second, and the seconds that some of them took longer than that."""
    usual = statistics.median_low(seconds / flops for flops, seconds in pairs)
    steady = [(f, s) for f, s in pairs if s <= _SLOW * usual * f]
    flops, seconds = map(sum, zip(*steady, strict=True))
    rate = flops / max(seconds, 1e-6)
    slow_s = sum(s - f / rate for f, s in pairs if s > _SLOW * usual * f)
    return rate, slow_s
