"""Models with random weights, made on their device: to measure with, and to try things with."""

from __future__ import annotations

import torch

from magi_engine.config.official import ModelConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialToken, SpecialTokens
from magi_engine.model.vae import ViTVAE
from magi_engine.ops.fp8 import E4M3


def random_tokens(channels: int) -> SpecialTokens:
    """The vectors that go before captions."""
    generator = torch.Generator().manual_seed(0)
    names = [n for n in SpecialToken if n is not SpecialToken.DURATION]
    vectors = {n: torch.randn(channels, generator=generator) for n in names}
    return SpecialTokens(vectors, torch.randn(8, channels, generator=generator))


def random_dit(config: ModelConfig, device: torch.device, fp8: bool = True) -> VideoDiT:
    """A transformer whose activations stay of order one, with ``fp8`` where the release has it."""
    with torch.device("meta"):
        dit = VideoDiT(config, fp8=fp8)
    dit = dit.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, tensor in dit.state_dict().items():
            kind = name.rsplit(".", 1)[-1]
            if tensor.dtype is E4M3:
                rows = torch.empty_like(tensor, dtype=torch.bfloat16).normal_(generator=generator)
                tensor.copy_((rows * 64).to(E4M3))
            elif kind == "weight_scale":
                size = dit.get_buffer(name.removesuffix("_scale")).shape[-1]
                tensor.fill_(size**-0.5 / 64)
            elif kind in ("input_scale", "smooth_scale"):
                tensor.fill_(0.02)
            elif tensor.dim() > 1:
                tensor.normal_(std=tensor[0].numel() ** -0.5, generator=generator)
            elif name == "rope.bands":
                count = len(tensor)
                tensor.copy_(10000 ** (-torch.arange(count, device=device) / count))
            elif "norm" in name and kind == "weight" and "layernorm" not in name:
                tensor.fill_(0.0 if "post_norm" in name else 1.0)
            else:
                tensor.zero_()
    return dit.eval().requires_grad_(False)


def random_vae(config: VaeConfig, device: torch.device, dtype: torch.dtype) -> ViTVAE:
    """An autoencoder whose activations stay of order one."""
    with torch.device("meta"):
        vae = ViTVAE(config)
    vae = vae.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, tensor in vae.named_parameters():
            if tensor.dim() > 1:
                tensor.normal_(std=tensor[0].numel() ** -0.5, generator=generator)
            else:
                tensor.fill_(1.0 if name.endswith("weight") else 0.0)
    return vae.to(dtype).eval().requires_grad_(False)
