"""How much memory the parts of a generation take, in bytes. Needs no PyTorch.

Weights, keys and values are exact. What the layers compute with in between is counted in numbers
per token; the factors were found by accounting every tensor of the plain kernels.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from magi_engine.config.official import ModelConfig
from magi_engine.config.vae import Tile, VaeConfig

_FP32 = 4


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
    def of(cls, model: ModelConfig, fp8: bool, itemsize: int) -> DitWeights:
        """Of a model whose blocks have numbers of ``itemsize`` bytes where they are not fp8."""
        last = model.num_layers - 1
        layers = tuple(
            _layer_bytes(model, fp8 and 0 < index < last, itemsize)
            for index in range(model.num_layers)
        )
        size, condition = model.hidden_size, model.condition_size
        patch = model.patch_size**2
        numbers = (
            size * model.in_channels * patch
            + _TIMESTEP_FEATURES * condition
            + condition
            + condition * condition
            + condition
            + model.caption_channels * (size + condition)
            + size
            + condition
            + model.caption_max_length * model.caption_channels
            + model.kv_channels // 8
            + 2 * size
            + size * patch * model.out_channels
        )
        return cls(layers, numbers * _FP32)


_TIMESTEP_FEATURES = 256
_LATENT_COPIES = 3
"""The sampler's latents, those of the forward in a row, and as patches."""


def _layer_bytes(model: ModelConfig, fp8: bool, itemsize: int) -> int:
    size, inner, head = model.hidden_size, model.ffn_hidden_size, model.kv_channels
    kv = model.num_query_groups * head
    widened = 2 * inner if model.gated_linear_unit else inner
    plain = model.condition_size * 2 * size + 2 * size  # modulation
    plain += 2 * 2 * size + 2 * 2 * head  # layer norms before the linears, and of captions
    plain += size * 2 * kv  # captions' keys and values
    in_fp32 = 2 * 2 * head + 2 * 2 * size
    products = (size * (2 * size + 2 * kv), 2 * size * size, size * widened, inner * size)
    if not fp8:
        return (plain + sum(products)) * itemsize + in_fp32 * _FP32
    scales = 4 * (1 + size) + (1 + 1 + 2 * size) + (1 + size) + (1 + 1 + inner)
    return plain * itemsize + (in_fp32 + scales) * _FP32 + sum(products)


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
) -> int:
    """The most a forward holds beside weights, keys and values.

    Args:
        tokens: of all its chunks.
        part_tokens: how many of them are computed together.
        fp8: whether the model is quantised.
        fused: whether what stands between the products runs in kernels of its own, as on
            graphics cards.
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
    return tokens * through + min(part_tokens, tokens) * working


def graph_bytes(model: ModelConfig, chunks: int, tokens: int) -> int:
    """Inputs and outputs of CUDA graphs of forwards of up to so many chunks, in a row or a batch:
    latents, velocity, cosines and sines."""
    numbers = 2 * model.latent_channels * model.patch_size**2 + 2 * 3 * (model.kv_channels // 8)
    return 2 * sum(range(1, chunks + 1)) * tokens * numbers * _FP32


def unpatch_channels(vae: VaeConfig) -> int:
    """Channels of a pixel before the decoder's last convolution."""
    return 4 if vae.use_final_proj else vae.embed_dim // vae.patch_volume


def vae_weight_bytes(vae: VaeConfig, itemsize: int) -> int:
    """Both sides of the autoencoder."""
    size = vae.embed_dim
    inner = int(size * vae.mlp_ratio)
    bias = 3 * size if vae.qkv_bias else 0
    norms = 2 * size if vae.ln_in_attn else 4 * size
    block = 3 * size * size + bias + size * size + size + 2 * size * inner + inner + size + norms
    t, h, w = vae.grid
    shared = vae.depth * block + size + (1 + t * h * w) * size + 2 * size
    patch = vae.patch_volume
    encoder = vae.in_chans * patch * size + size + size * 2 * vae.z_chans + 2 * vae.z_chans
    channels = unpatch_channels(vae)
    decoder = vae.z_chans * size + size
    if vae.use_final_proj:
        decoder += (size + 1 + 2) * channels * patch
    decoder += (channels * 27 + 1) * vae.in_chans
    return (2 * shared + encoder + decoder) * itemsize


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
        channels = unpatch_channels(vae)
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
