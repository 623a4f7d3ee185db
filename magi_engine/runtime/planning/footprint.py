"""How much memory the parts of a generation take, in bytes.

Weights are those of the modules themselves, made without memory on PyTorch's meta device. What the
layers compute with in between is counted in numbers per token; the factors were found by accounting
every tensor of the plain kernels.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from magi_engine.config.official import ModelConfig
from magi_engine.config.vae import Tile, VaeConfig

if TYPE_CHECKING:
    from torch import nn

_FP32 = 4
_LATENT_COPIES = 5
"""The sampler's latents, the noise they began with, those of the forward in a row, their patches,
and the velocity of these."""


@dataclass(frozen=True)
class DitWeights:
    """Bytes of the transformer's weights.

    Attributes:
        layers: each layer in turn.
        rest: embedders and the end.
    """

    layers: tuple[int, ...]
    rest: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.layers) + self.rest

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, model: ModelConfig, fp8: bool, itemsize: int) -> DitWeights:
        """Of a model whose blocks have numbers of ``itemsize`` bytes where they are not fp8."""
        import torch

        from magi_engine.model.dit import VideoDiT

        # The layers between the first and the last one are alike.
        few = min(3, model.num_layers)
        dtype = {2: "torch.bfloat16", 4: "torch.float32"}[itemsize]
        with torch.device("meta"):
            dit = VideoDiT(replace(model, num_layers=few, params_dtype=dtype), fp8=fp8)
        layers = [_weight_bytes(layer) for layer in dit.layers]
        rest = _weight_bytes(dit) - sum(layers)
        return cls((*layers[:1], *layers[1:-1] * (model.num_layers - 2), *layers[1:][-1:]), rest)


@lru_cache(maxsize=16)
def vae_weight_bytes(vae: VaeConfig, itemsize: int) -> int:
    """Both sides of the autoencoder, in numbers of ``itemsize`` bytes."""
    import torch

    from magi_engine.model.vae import ViTVAE

    with torch.device("meta"):
        return _weight_bytes(ViTVAE(vae)) * itemsize // _FP32


def _weight_bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in module.state_dict().values())


def kept_bytes(model: ModelConfig, chunks: int, tokens: int, itemsize: int) -> int:
    """Keys and values of so many chunks, all layers."""
    return model.num_layers * work_bytes(model, chunks, tokens, itemsize)


def work_bytes(model: ModelConfig, chunks: int, tokens: int, itemsize: int) -> int:
    """The same in one layer."""
    channels = model.num_query_groups * model.kv_channels
    return 2 * chunks * tokens * channels * itemsize


def dit_activation_bytes(
    model: ModelConfig,
    tokens: int,
    part_tokens: int,
    itemsize: int,
    fp8: bool,
    fused: bool,
    guided: bool,
) -> int:
    """The most a forward holds beside weights, keys and values.

    Args:
        tokens: of all its chunks.
        part_tokens: how many of them are computed together.
        fp8: whether the model is quantised.
        fused: whether what stands between the products runs in kernels of its own, as on
            graphics cards.
        guided: whether there are forwards in which every chunk is alone.
    """
    size, inner = model.hidden_size, model.ffn_hidden_size
    widened = 2 * inner if model.gated_linear_unit else inner
    # Through a layer: the stream, the queries or what they saw, and the captions' queries.
    through = 3 * size * itemsize
    through += _LATENT_COPIES * model.in_channels * model.patch_size**2 * _FP32
    # The feed-forward: the stream and its norm, what comes out of the first product and of the
    # activation (the first and last layer are never quantised). Where quantising is not fused
    # with what precedes it, there are float32 copies.
    working = (2 * size + widened + inner) * itemsize
    if fp8 and not fused:
        working += 2 * _FP32 * inner
    working *= min(part_tokens, tokens)
    if guided:  # keys and values beside those that are kept, and what all chunks saw of them
        kv = model.num_query_groups * model.kv_channels
        working = max(working, tokens * (size + 2 * kv) * itemsize)
    return tokens * through + working


def graph_bytes(model: ModelConfig, chunks: int, tokens: int) -> int:
    """Inputs and outputs of CUDA graphs of forwards of up to so many chunks, in a row or a batch:
    latents, velocity, cosines and sines."""
    numbers = 2 * model.latent_channels * model.patch_size**2 + 2 * 3 * (model.kv_channels // 8)
    return 2 * sum(range(1, chunks + 1)) * tokens * numbers * _FP32


@dataclass(frozen=True)
class Decoding:
    """Which pixels are decoded, and how.

    Attributes:
        vae: the autoencoder.
        tile: the piece it works in.
        grid: height and width of each tile of a picture, in latents.
        latent_frames: of a chunk.
        height, width: of a picture, in pixels.
    """

    vae: VaeConfig
    tile: Tile
    grid: tuple[tuple[int, int], ...]
    latent_frames: int
    height: int
    width: int

    def peak_bytes(self, tiles: int, itemsize: int, fused: bool) -> int:
        """The most that decoding a chunk holds beside the weights.

        Args:
            tiles: that are decoded together, at most.
            itemsize: bytes of a number.
            fused: as for :func:`dit_activation_bytes`.
        """
        video = 3 * self._frames * self.height * self.width * itemsize
        results = sum(self._result_bytes(shape, itemsize) for shape in self.grid)
        # The tiles are blended row by row, and the rows put together.
        row = sum(
            self._result_bytes(shape, itemsize)
            for shape in self.grid
            if shape[0] == self.grid[-1][0]
        )
        return max(self._working_bytes(tiles, itemsize, fused), results + 2 * video + row)

    @property
    def _frames(self) -> int:
        return self.latent_frames * self.vae.patch_length

    def _result_bytes(self, shape: tuple[int, int], itemsize: int) -> int:
        height, width = (side * self.vae.patch_size for side in shape)
        return 3 * self._frames * height * width * itemsize

    def _working_bytes(self, tiles: int, itemsize: int, fused: bool) -> int:
        """In the network, with the tiles that have been decoded before."""
        vae = self.vae
        depth = self.tile.frames // vae.patch_length
        pieces = max(1, self.latent_frames // depth)  # one after the other in time, one batch
        together = max(1, tiles // pieces)
        # Through a block: the stream, queries, keys and values, and these normalised.
        normed = 4 if vae.ln_in_attn and not fused else 0
        block = max(2 + 3 + 3 + normed, 2 + 2 * vae.mlp_ratio) * vae.embed_dim
        # Before the last convolution: all channels, with neighbours in time, and colours.
        channels = vae.unpatch_channels
        padded = (self.tile.frames + 2) / self.tile.frames
        unpatched = (channels * (1 + padded + 3) + 3) * vae.patch_volume
        numbers = max(block, unpatched)
        most = done = 0
        for shape, count in Counter(self.grid).items():
            tokens = min(depth, self.latent_frames) * shape[0] * shape[1] + 1
            batch = min(together, count)
            last = count % together or batch
            result = self._result_bytes(shape, itemsize)
            working = int(pieces * tokens * numbers * itemsize)
            full = batch * working + done + max(0, count - last - batch) * result
            most = max(most, full, last * working + done + (count - last) * result)
            done += count * result
        return most
