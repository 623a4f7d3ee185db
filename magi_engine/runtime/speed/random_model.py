"""A model of full size with random weights, made on the device."""

from __future__ import annotations

import dataclasses

import torch

from magi_engine.config.vae import VaeConfig
from magi_engine.model.random_weights import random_dit, random_tokens, random_vae
from magi_engine.model.special_tokens import SpecialToken
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.sampling.prompts import CaptionTrack


class RandomModel(LoadedModel):
    """A :class:`LoadedModel` that needs none of its files; its autoencoder is the released one."""

    vae_config = VaeConfig()

    def load_dit(self) -> None:
        if self._dit is not None:
            return
        config = self.found.config
        shape = dataclasses.replace(config.model_config, params_dtype=str(self.dtype))
        self._dit = random_dit(shape, self.device, config.engine_config.fp8_quant)
        self._dit.speed_up(self.kernels.plain, self.kernels.attention)
        self.place(self.placement)

    def load_vae(self) -> None:
        if self._vae is not None:
            return
        self._vae = random_vae(self.vae_config, self.device, self.dtype)
        self._vae.speed_up(self.kernels.plain, self.kernels.exact_attention)
        if self.device.type == "cuda":
            self._vae.encoder.to("cpu")
        self.place(self.placement)

    def caption_track(
        self, caption: torch.Tensor, names: tuple[str, ...], negative: bool = False
    ) -> CaptionTrack:
        tokens, kinds = random_tokens(caption.shape[1]), [SpecialToken(name) for name in names]
        most = self.found.config.model_config.caption_max_length
        return CaptionTrack(caption, tokens, kinds, most, negative)
