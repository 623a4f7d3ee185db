"""The libraries that a model computes with, loaded while its weights are read.

A graphics card's libraries, from cuBLAS and cuDNN to PyTorch's own modules of kernels, are loaded
by the first product, the first convolution and so on: about a second in all. So a small model of
the same make makes and decodes a small video on a thread of its own, while the disk is busy.

Nothing else may compute meanwhile: which attention PyTorch may use is one setting for all threads,
and two that choose at once can leave it without any.
"""

from __future__ import annotations

import dataclasses
import logging
import threading

import torch

from magi_engine.config.official import MagiConfig
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.model.random_weights import random_dit, random_tokens, random_vae
from magi_engine.model.vae import pixels_of
from magi_engine.ops.backends import EXACT
from magi_engine.runtime.machine.kernels import DeviceKernels
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import SamplerSettings, legal_steps

logger = logging.getLogger(__name__)

_HEADS = 8
"""With as many groups: the least that the fused kernels take."""
_LAYERS = 3
"""The first and the last one are never quantised."""
_CAPTION = (64, 64)
"""Tokens, and channels of each."""
_SIDE = 32
"""Of the latents: a whole tile of the decoder."""
_SMALL_VAE = VaeConfig(embed_dim=256, depth=1, num_heads=4)


class Libraries:
    """What a model of ``config`` needs of its device's libraries, loaded once.

    Args:
        kernels: what the model computes with; nothing is loaded where nothing is compiled.
    """

    def __init__(
        self, kernels: DeviceKernels, config: MagiConfig, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._kernels, self._config, self._device = kernels, config, device
        self._dtype = dtype
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Load them beside whatever comes next, unless they were before."""
        if self._thread is None and self._kernels.compiles:
            self._thread = threading.Thread(target=self._load, name="libraries")
            self._thread.start()

    def wait(self) -> None:
        """Until they are there, if they were begun."""
        if self._thread is not None:
            self._thread.join()

    def _load(self) -> None:
        try:
            if self._device.type == "cuda":
                torch.cuda.set_device(self._device)  # of this thread
            with torch.inference_mode():
                self._make_video()
        except Exception as error:  # the model says it better, if it matters
            logger.info("libraries load when they are needed: %s", error)

    def _make_video(self) -> None:
        model = self._config.model_config
        shape = dataclasses.replace(
            model,
            num_layers=_LAYERS,
            hidden_size=_HEADS * model.kv_channels,
            ffn_hidden_size=_HEADS * model.kv_channels,
            num_attention_heads=_HEADS,
            num_query_groups=_HEADS,
            caption_channels=_CAPTION[1],
            params_dtype=str(self._dtype),
        )
        dit = random_dit(shape, self._device, self._config.engine_config.fp8_quant)
        dit.speed_up(self._kernels.plain, self._kernels.new_attention(self._kernels.choice))
        vae = random_vae(_SMALL_VAE, self._device, self._dtype)
        vae.speed_up(self._kernels.plain, self._kernels.new_attention(EXACT))
        settings = SamplerSettings.from_config(self._config)
        steps = next(legal_steps(1, len(settings.noise2clean_kvrange)))
        sampler = Sampler(dit, dataclasses.replace(settings, window_size=1, num_steps=steps))
        caption = CaptionTrack(torch.zeros(_CAPTION), random_tokens(_CAPTION[1]))
        for event in sampler.sample(
            height=_SIDE, width=_SIDE, captions=caption, noise=SeededNoise(0), num_chunks=1
        ):
            if isinstance(event, ChunkDone):
                tile = Tile.released(self._config.runtime_config.fps)
                video = vae.decode(event.latents.to(self._dtype), tile)[0]
                pixels_of(video).cpu()
