"""How much memory the parts of a generation take, in bytes. Needs no PyTorch.

Weights, keys and values are exact. What the layers compute with in between is counted in numbers
per token; the factors were found by accounting every tensor of the plain kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

from magi_engine.config.official import MagiConfig, ModelConfig
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
    channels = size // patch
    decoder = vae.z_chans * size + size
    if vae.use_final_proj:
        channels = 4
        decoder += (size + 1 + 2) * channels * patch
    decoder += (channels * 27 + 1) * vae.in_chans
    return (2 * shared + encoder + decoder) * itemsize


def vae_activation_bytes(vae: VaeConfig, tile: Tile, tiles: int, itemsize: int) -> int:
    """What decoding so many tiles at once holds beside the weights."""
    side = tile.size // vae.patch_size
    tokens = tile.frames // vae.patch_length * side * side + 1
    size = vae.embed_dim
    normed = 3 if vae.ln_in_attn else 0  # the differences while q, k and v are normalised
    attention = (2 + 3 + 3 + normed) * size
    feed_forward = (2 + 2 * vae.mlp_ratio) * size
    return int(tiles * tokens * max(attention, feed_forward) * itemsize)


def video_bytes(config: MagiConfig) -> int:
    """A decoded chunk on its way from tiles to pixels of 8 bits."""
    runtime = config.runtime_config
    frames = runtime.chunk_width * runtime.temporal_downsample_factor
    return 3 * frames * runtime.video_size_h * runtime.video_size_w * _FP32
