"""The diffusion transformer of MAGI-1 (spec section 2).

A plain ``nn.Module``: parameter names are the checkpoint's, no scheduling, no cache. Who may see
whom in self-attention is the caller's business and comes in as a function (:data:`Attend`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from magi_engine.config.official import ModelConfig
from magi_engine.ops.attention import Attention, attention, caption_attention
from magi_engine.ops.fp8 import (
    E4M3,
    Fp8SmoothLinear,
    Fp8TensorLinear,
    fp8_matmul,
    input_divisor,
)
from magi_engine.ops.kernels import Kernels
from magi_engine.ops.norms import LayerNorm1p
from magi_engine.ops.rope import rotary_angles

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""``attend(layer, q, k, v)``: self-attention of one layer. q (N, S, heads, head_dim),
k and v (N, S, groups, head_dim), k already rotated; returns the shape of q."""

NULL_CAPTION_TOKENS = 50
"""How many positions of the null caption count as valid."""

_TIMESTEP_FEATURES = 256


@dataclass(frozen=True)
class CaptionBatch:
    """One caption per chunk.

    Attributes:
        embeddings: (N * R, L, caption_channels) float32, padded at the end.
        lengths: valid tokens of each row.
    """

    embeddings: Tensor
    lengths: tuple[int, ...]

    def mask(self) -> Tensor:
        """Which positions are valid: bool (N * R, L)."""
        positions = torch.arange(self.embeddings.shape[1])
        mask = positions < torch.tensor(self.lengths)[:, None]
        return mask.to(self.embeddings.device, non_blocking=True)


@dataclass(frozen=True)
class _SeenCaptions:
    """What the blocks see of a CaptionBatch: projected tokens (N * R, L, D)."""

    tokens: Tensor
    lengths: tuple[int, ...]
    mask: Tensor | None

    def attend(self, index: int, layer: ParallelAttention, qx: Tensor) -> Tensor:
        """Attention of qx (N, S, heads, head_dim), each chunk to its own caption; same shape."""
        del index
        k, v = layer.caption_keys(self.tokens)
        rows = len(self.lengths) // len(qx)
        rows_of_q = rearrange(qx, "n (r s) h d -> (n r) s h d", r=rows)
        seen = caption_attention(rows_of_q, k, v, self.lengths, self.mask)
        return rearrange(seen, "(n r) s h d -> n (r s) h d", r=rows)


class CaptionKeys:
    """One caption as every layer sees it; computed at the first look and kept.

    Args:
        model: whose projections are used.
        embedding: (L, caption_channels).
    """

    def __init__(self, model: VideoDiT, embedding: Tensor) -> None:
        self._tokens = model.project_captions(embedding[None])  # (1, L, D)
        self._known: dict[int, tuple[Tensor, Tensor]] = {}
        self.length = len(embedding)

    def of(self, index: int, layer: ParallelAttention) -> tuple[Tensor, Tensor]:
        """Keys and values in layer ``index``, each (1, L, groups, head_dim)."""
        if index not in self._known:
            k, v = layer.caption_keys(self._tokens)
            self._known[index] = k.contiguous(), v.contiguous()
        return self._known[index]


class KnownCaptions:
    """One caption per chunk, of captions that are seen more than once; inference only.

    Args:
        captions: of the N * R chunks.
        attention: the kernel that looks at them.
    """

    def __init__(self, captions: Sequence[CaptionKeys], attention: Attention = attention) -> None:
        self.captions = captions
        self.attention = attention

    @property
    def lengths(self) -> tuple[int, ...]:
        """Valid tokens of each caption."""
        return tuple(caption.length for caption in self.captions)

    def attend(self, index: int, layer: ParallelAttention, qx: Tensor) -> Tensor:
        """As of a CaptionBatch; neighbouring chunks with one caption go together."""
        videos, chunks = len(qx), len(self.captions)
        # Attention to a caption knows no order: a batch is as good as a longer row.
        rows = qx.reshape(1, -1, *qx.shape[2:])
        tokens = rows.shape[1] // chunks
        seen = []
        first = 0
        while first < chunks:
            caption, last = self.captions[first], first + 1
            while last < chunks and self.captions[last] is caption:
                last += 1
            k, v = caption.of(index, layer)
            seen.append(self.attention(rows[:, first * tokens : last * tokens], k, v))
            first = last
        joined = seen[0] if len(seen) == 1 else torch.cat(seen, dim=1)
        return joined.reshape(videos, -1, *qx.shape[2:])


class VideoDiT(nn.Module):
    """MAGI-1's transformer in all its variants.

    Args:
        config: the shape; ``params_dtype`` is the dtype of the blocks, everything the release
            keeps in float32 stays float32.
        fp8: whether the checkpoint is quantised; all layers but the first and last then have
            e4m3 linears.
    """

    def __init__(self, config: ModelConfig, fp8: bool = False) -> None:
        super().__init__()
        self.config = config
        size = config.hidden_size
        patch = config.patch_size**2
        self.dtype: torch.dtype = getattr(torch, config.params_dtype.removeprefix("torch."))
        self.x_embedder = nn.Conv3d(
            config.in_channels,
            size,
            kernel_size=(1, config.patch_size, config.patch_size),
            stride=(1, config.patch_size, config.patch_size),
            bias=False,
            dtype=torch.float32,
        )
        self.t_embedder = TimestepEmbedder(config.condition_size, self.dtype)
        self.y_embedder = CaptionEmbedder(config)
        self.rope = _RotaryBands(config.kv_channels)
        self.videodit_blocks = _Blocks(config, self.dtype, fp8)
        self.final_linear = _FinalLinear(size, patch * config.out_channels)
        self.attention: Attention = attention
        """What callers should attend with; may be replaced by a faster one."""

    def speed_up(self, kernels: Kernels, attention: Attention = attention) -> None:
        """Make inference fast, once the weights are there; training is over for this model.

        Linears that share their input become one, where that changes nothing. ``state_dict``
        keeps the official names.

        Args:
            kernels: what runs between the matrix products.
            attention: see :attr:`attention`.
        """
        self.attention = attention
        for layer in self.layers:
            layer.kernels = layer.self_attention.kernels = layer.mlp.kernels = kernels
            layer.self_attention.linear_qkv.fuse()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.x_embedder.weight.device

    @property
    def layers(self) -> list[TransformerBlock]:
        """The blocks, first to last."""
        return cast("list[TransformerBlock]", list(self.videodit_blocks.layers))

    def null_caption(self) -> Tensor:
        """The caption that says nothing: (50, caption_channels)."""
        return self.y_embedder.null_caption_embedding[:NULL_CAPTION_TOKENS]

    def forward(
        self,
        latents: Tensor,
        timesteps: Tensor,
        captions: CaptionBatch | KnownCaptions,
        *,
        chunk_positions: Sequence[int],
        attend: Attend,
        unconditional: bool = False,
        step_code: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Velocity of some chunks, all in one pass.

        Args:
            latents: (N, 16, R * chunk_width, h, w), R chunks one after the other.
            timesteps: (N, R), 0 = noise, 1 = clean.
            captions: N * R captions.
            chunk_positions: R positions in the video, in chunks.
            attend: self-attention, see :data:`Attend`.
            unconditional: whether this is a pass without caption (it has its own adaLN vector).
            step_code: (N,) or scalar code of the step size, for distilled models only.
            condition: what :meth:`condition` gives for these three, if it is known already.

        Returns:
            Velocity, the shape of ``latents``, float32.
        """
        chunks = timesteps.shape[1]
        chunk_width = latents.shape[2] // chunks
        height = latents.shape[3] // self.config.patch_size
        width = latents.shape[4] // self.config.patch_size

        x = self._patchify(latents).to(self.dtype)  # (N, S, D)
        if condition is None:
            condition = self.condition(timesteps, unconditional, step_code)  # (N, R, D/4)
        rotary = rotary_angles(self.rope.bands, chunk_positions, chunk_width, height, width)
        if isinstance(captions, CaptionBatch):
            mask = captions.mask() if len(latents) > 1 else None
            tokens = self.project_captions(captions.embeddings)
            seen = _SeenCaptions(tokens, captions.lengths, mask)
        else:
            seen = captions
        for index, layer in enumerate(self.layers):
            x = layer(index, x, condition, seen, rotary, attend)
        x = self.final_linear.linear(self.videodit_blocks.final_layernorm(x.float()))
        velocity = rearrange(
            x,
            "n (t h w) (ph pw c) -> n c t (h ph) (w pw)",
            h=height,
            w=width,
            ph=self.config.patch_size,
            pw=self.config.patch_size,
        )
        return velocity[:, : self.config.latent_channels] / self.config.x_rescale_factor

    def _patchify(self, latents: Tensor) -> Tensor:
        # A convolution whose stride is its kernel is a linear layer on patches: the same
        # numbers, on every device.
        patch = self.config.patch_size
        latents = latents.float() * self.config.x_rescale_factor
        if self.config.half_channel_vae:
            latents = torch.cat([latents, latents], dim=1)
        x = rearrange(latents, "n c t (h ph) (w pw) -> n (t h w) (c ph pw)", ph=patch, pw=patch)
        return F.linear(x, self.x_embedder.weight.flatten(1))

    def project_captions(self, embeddings: Tensor) -> Tensor:
        """(B, L, caption_channels) -> (B, L, D) in the dtype of the blocks."""
        return self.y_embedder.y_proj_xattn(embeddings.float()).to(self.dtype)

    def condition(
        self, timesteps: Tensor, unconditional: bool = False, step_code: Tensor | None = None
    ) -> Tensor:
        """What the blocks know of the time: (N, R) -> (N, R, D/4)."""
        condition = self.t_embedder(timesteps)
        if step_code is not None:
            condition = condition + self.t_embedder(step_code.reshape(-1, 1))
        return (condition + self.y_embedder.adaln(unconditional)).to(self.dtype)


class TimestepEmbedder(nn.Module):
    """Sinusoid of a scalar, then two linears (float32). (...) -> (..., D/4)."""

    def __init__(self, size: int, model_dtype: torch.dtype) -> None:
        super().__init__()
        self.model_dtype = model_dtype
        self.mlp = nn.Sequential(
            nn.Linear(_TIMESTEP_FEATURES, size, dtype=torch.float32),
            nn.SiLU(),
            nn.Linear(size, size, dtype=torch.float32),
        )

    def forward(self, scalar: Tensor) -> Tensor:
        """Embed timesteps or step codes; both are scaled by 1000."""
        half = _TIMESTEP_FEATURES // 2
        exponents = torch.arange(half, device=scalar.device, dtype=torch.float32) / half
        angles = scalar.float()[..., None] * 1000 * torch.exp(-math.log(10000) * exponents)
        features = torch.cat([angles.cos(), angles.sin()], dim=-1)
        # The release rounds the sinusoid to the model's dtype before the float32 linear.
        return self.mlp(features.to(self.model_dtype).float())


class CaptionEmbedder(nn.Module):
    """Caption projections and the null caption (float32)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.caption_channels
        self.y_proj_xattn = nn.Sequential(
            nn.Linear(channels, config.hidden_size, dtype=torch.float32), nn.SiLU()
        )
        self.y_proj_adaln = nn.Sequential(
            nn.Linear(channels, config.condition_size, dtype=torch.float32)
        )
        self.null_caption_embedding = nn.Parameter(
            torch.zeros(config.caption_max_length, channels, dtype=torch.float32)
        )

    def adaln(self, unconditional: bool) -> Tensor:
        """The adaLN part of the condition (D/4,): it knows only whether there is a caption."""
        return self.y_proj_adaln(self.null_caption_embedding[-1 if unconditional else -2])


class _RotaryBands(nn.Module):
    def __init__(self, head_dim: int) -> None:
        super().__init__()
        count = head_dim // 8
        self.bands = nn.Parameter(10000 ** (-torch.arange(count, dtype=torch.float32) / count))


class _FinalLinear(nn.Module):
    def __init__(self, size: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, out_features, bias=False, dtype=torch.float32)


class _Blocks(nn.Module):
    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        last = config.num_layers - 1
        self.layers = nn.ModuleList(
            TransformerBlock(config, dtype, fp8 and 0 < index < last)
            for index in range(config.num_layers)
        )
        self.final_layernorm = LayerNorm1p(
            config.hidden_size, config.layernorm_epsilon, torch.float32
        )


def _linear(
    in_features: int, out_features: int, dtype: torch.dtype, fp8: type[nn.Module] | None
) -> nn.Module:
    if fp8 is not None:
        return fp8(in_features, out_features, dtype)
    return nn.Linear(in_features, out_features, bias=False, dtype=dtype)


class _Float32Linear(nn.Linear):
    """A linear layer computed in float32, whatever its weight is stored in. Returns float32."""

    def forward(self, input: Tensor) -> Tensor:
        exact = input.dtype is self.weight.dtype is torch.bfloat16
        if exact and input.is_cuda and not torch.is_grad_enabled():
            # Products of two bf16 numbers are exact in float32, and sums stay in float32: the
            # tensor cores give the same result many times faster. (It has no derivative.)
            out = torch.mm(input.flatten(0, -2), self.weight.t(), out_dtype=torch.float32)
            return out.unflatten(0, input.shape[:-1])
        return F.linear(input.float(), self.weight.float())


class _QueryKeyValue(nn.Module):
    """Layer norm and the four linears that share its output."""

    _NAMES = ("q", "k", "v", "qx")

    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        size, kv_size = config.hidden_size, config.num_query_groups * config.kv_channels
        kind = Fp8TensorLinear if fp8 else None
        self.layer_norm = nn.LayerNorm(size, eps=config.layernorm_epsilon, dtype=dtype)
        self.q = _linear(size, size, dtype, kind)
        self.qx = _linear(size, size, dtype, kind)
        self.k = _linear(size, kv_size, dtype, kind)
        self.v = _linear(size, kv_size, dtype, kind)
        self.fused: _FusedLinears | None = None

    def fuse(self) -> None:
        """Make one linear of the four, unless fp8 ones divide their inputs differently."""
        if self.fused is not None:
            return
        linears = [getattr(self, name) for name in self._NAMES]
        if isinstance(self.q, Fp8TensorLinear) and not _same_inputs(linears):
            return
        self.fused = _FusedLinears(linears)
        for name in self._NAMES:
            delattr(self, name)
        self.register_state_dict_post_hook(_official_names)

    def forward(
        self, x: Tensor, kernels: Kernels
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]:
        """(N, S, D) -> q, k, v, qx (N, S, features), and what each is still to be scaled by."""
        if self.fused is not None:
            return self.fused(kernels.layer_norm(x, self.layer_norm, self.fused.divisor))
        x = kernels.layer_norm(x, self.layer_norm)
        return (self.q(x), self.k(x), self.v(x), self.qx(x)), (None,) * 4


def _same_inputs(linears: list[Fp8TensorLinear]) -> bool:
    return all(torch.equal(linear.input_scale, linears[0].input_scale) for linear in linears)


class _FusedLinears(nn.Module):
    """Several linears of one input as one matrix.

    Of fp8 linears with weight scales of their own, the product is scaled by the first of them
    all; what each part is still to be multiplied by comes with the result.
    """

    divisor: Tensor | None
    scales: Tensor | None

    def __init__(self, linears: Sequence[nn.Module]) -> None:
        super().__init__()
        weights = [cast("Tensor", linear.weight) for linear in linears]
        axis = weights[0].dim() - 2  # fp8 weights have an axis of one in front
        self.widths = [weight.shape[axis] for weight in weights]
        self.dtype: torch.dtype = weights[0].dtype
        first = linears[0]
        divisor = scales = ratios = None
        if isinstance(first, Fp8TensorLinear):
            self.dtype = first.dtype
            divisor = first.input_scale
            scales = torch.cat([cast("Tensor", linear.weight_scale) for linear in linears])
            ratios = scales / scales[0]
        # Views of bytes: not every device joins e4m3 tensors.
        joined = torch.cat([w.detach().view(torch.uint8) for w in weights], dim=axis)
        self.register_buffer("weight", joined.view(weights[0].dtype))
        self.register_buffer("divisor", divisor)
        self.register_buffer("scales", scales)
        self.register_buffer("ratios", ratios)
        self.weight: Tensor
        self.ratios: Tensor | None

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]:
        """(N, S, D) -> one (N, S, features) per linear, and the factors they still lack."""
        if self.divisor is None or self.scales is None or self.ratios is None:
            return F.linear(x, self.weight).split(self.widths, dim=-1), (None,) * len(self.widths)
        assert x.dtype is E4M3
        rows = x.flatten(0, -2)
        out = fp8_matmul(rows, self.weight[0], self.divisor[0], self.scales[0], self.dtype)
        parts = out.unflatten(0, x.shape[:-1]).split(self.widths, dim=-1)
        return parts, self.ratios.unbind()


def _official_names(
    module: nn.Module, state: dict[str, Tensor], prefix: str, _metadata: object
) -> None:
    """Give the fused linears of ``module`` back the names they have in a checkpoint."""
    assert isinstance(module, _QueryKeyValue)
    assert module.fused is not None
    fused = module.fused
    for name in ("weight", "divisor", "scales", "ratios"):
        state.pop(f"{prefix}fused.{name}", None)
    axis = fused.weight.dim() - 2
    parts = zip(module._NAMES, fused.weight.split(fused.widths, dim=axis), strict=True)
    for index, (name, weight) in enumerate(parts):
        state[f"{prefix}{name}.weight"] = weight
        if fused.divisor is not None and fused.scales is not None:
            state[f"{prefix}{name}.input_scale"] = fused.divisor
            state[f"{prefix}{name}.weight_scale"] = fused.scales[index : index + 1]


class ParallelAttention(nn.Module):
    """Self-attention and caption attention side by side, joined by one projection."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        size, head = config.hidden_size, config.kv_channels
        eps = config.layernorm_epsilon
        self.groups, self.head_dim, self.dtype = config.num_query_groups, head, dtype
        self.kernels = Kernels()
        self.linear_qkv = _QueryKeyValue(config, dtype, fp8)
        self.linear_kv_xattn = nn.Linear(size, 2 * self.groups * head, bias=False, dtype=dtype)
        if fp8:
            self.linear_proj = Fp8SmoothLinear(2 * size, size, dtype)
        else:
            self.linear_proj = _Float32Linear(2 * size, size, bias=False, dtype=dtype)
        self.q_layernorm = LayerNorm1p(head, eps, torch.float32)
        self.k_layernorm = LayerNorm1p(head, eps, torch.float32)
        self.q_layernorm_xattn = LayerNorm1p(head, eps, dtype)
        self.k_layernorm_xattn = LayerNorm1p(head, eps, dtype)

    def project(
        self, x: Tensor, rotary: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(N, S, D) -> q, k, v, qx, each (N, S, heads or groups, head_dim), normed and rotated."""
        parts, scales = self.linear_qkv(x, self.kernels)
        q, k, v, qx = (part.unflatten(-1, (-1, self.head_dim)) for part in parts)
        q = self.kernels.head_norm(q, self.q_layernorm, rotary, scales[0])
        k = self.kernels.head_norm(k, self.k_layernorm, rotary, scales[1])
        v = self.kernels.scaled(v, scales[2])
        qx = self.kernels.head_norm(qx, self.q_layernorm_xattn, None, scales[3])
        return q.to(self.dtype), k.to(self.dtype), v.to(self.dtype), qx.to(self.dtype)

    def caption_keys(self, captions: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, D) -> keys and values (B, L, groups, head_dim)."""
        kv = self.linear_kv_xattn(captions).unflatten(-1, (self.groups, 2 * self.head_dim))
        k, v = kv.chunk(2, dim=-1)
        return self.k_layernorm_xattn(k).to(self.dtype), v.to(self.dtype)

    def join(self, own: Tensor, caption: Tensor) -> Tensor:
        """Project both attention outputs (N, S, D) each to one (N, S, D)."""
        return self.linear_proj(self.kernels.join(own, caption, input_divisor(self.linear_proj)))


class FeedForward(nn.Module):
    """GELU (4.5B) or SiLU-gated (24B) feed-forward, and the layer norm its input needs."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        size, inner = config.hidden_size, config.ffn_hidden_size
        self.gated = config.gated_linear_unit
        self.kernels = Kernels()
        self.layer_norm = nn.LayerNorm(size, eps=config.layernorm_epsilon, dtype=dtype)
        widened = 2 * inner if self.gated else inner
        self.linear_fc1 = _linear(size, widened, dtype, Fp8TensorLinear if fp8 else None)
        self.linear_fc2 = _linear(inner, size, dtype, Fp8SmoothLinear if fp8 else None)

    def forward(self, normed: Tensor) -> Tensor:
        """(N, S, D) after the layer norm -> (N, S, D)."""
        x = self.linear_fc1(normed)
        activate = self.kernels.silu_gate if self.gated else self.kernels.gelu
        return self.linear_fc2(activate(x, input_divisor(self.linear_fc2)))


class _Modulation(nn.Module):
    """The two gates of a block, one pair per chunk: (N, R, D/4) -> (N, R, D) twice."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.Linear(config.condition_size, 2 * config.hidden_size, dtype=dtype)
        )

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        gates = torch.tanh(self.proj(F.silu(condition)).float())
        attention_gate, mlp_gate = gates.chunk(2, dim=-1)
        return attention_gate, mlp_gate


class TransformerBlock(nn.Module):
    """One layer: parallel attention and feed-forward, both gated, then sandwich-normed."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.layernorm_epsilon
        self.kernels = Kernels()
        self.ada_modulate_layer = _Modulation(config, dtype)
        self.self_attention = ParallelAttention(config, dtype, fp8)
        self.self_attn_post_norm = LayerNorm1p(size, eps, torch.float32)
        self.mlp = FeedForward(config, dtype, fp8)
        self.mlp_post_norm = LayerNorm1p(size, eps, torch.float32)

    def forward(
        self,
        index: int,
        x: Tensor,
        condition: Tensor,
        captions: _SeenCaptions | KnownCaptions,
        rotary: tuple[Tensor, Tensor],
        attend: Attend,
    ) -> Tensor:
        """(N, S, D) -> (N, S, D); arguments as in :meth:`VideoDiT.forward`."""
        q, k, v, qx = self.self_attention.project(x, rotary)
        own = attend(index, q, k, v)
        seen = captions.attend(index, self.self_attention, qx)
        return self.finish(x, own.flatten(2), seen.flatten(2), condition)

    def finish(self, x: Tensor, own: Tensor, seen: Tensor, condition: Tensor) -> Tensor:
        """Everything after the attentions; ``own`` and ``seen`` are (N, S, D)."""
        attention_gate, mlp_gate = self.ada_modulate_layer(condition)
        x, normed = self.kernels.add_gated_and_norm(
            x,
            self.self_attention.join(own, seen),
            attention_gate,
            self.self_attn_post_norm,
            self.mlp.layer_norm,
            input_divisor(self.mlp.linear_fc1),
        )
        return self.kernels.add_gated(x, self.mlp(normed), mlp_gate, self.mlp_post_norm)
