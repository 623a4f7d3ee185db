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
from magi_engine.ops.attention import caption_attention
from magi_engine.ops.fp8 import Fp8SmoothLinear, Fp8TensorLinear
from magi_engine.ops.norms import LayerNorm1p
from magi_engine.ops.rope import apply_rotary, rotary_angles

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""``attend(layer, q, k, v)``: self-attention of one layer. q (N, S, heads, head_dim),
k and v (N, S, groups, head_dim), k already rotated; returns the shape of q."""

NULL_CAPTION_TOKENS = 50
"""How many positions of the null caption count as valid."""

_ATTENTION_INTERLEAVE = 8
"""The release reorders the joined attention outputs in groups of eight, whatever the heads."""

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
        captions: CaptionBatch,
        *,
        chunk_positions: Sequence[int],
        attend: Attend,
        unconditional: bool = False,
        step_code: Tensor | None = None,
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

        Returns:
            Velocity, the shape of ``latents``, float32.
        """
        chunks = timesteps.shape[1]
        chunk_width = latents.shape[2] // chunks
        height = latents.shape[3] // self.config.patch_size
        width = latents.shape[4] // self.config.patch_size

        x = self._patchify(latents).to(self.dtype)  # (N, S, D)
        condition = self._condition(timesteps, unconditional, step_code)  # (N, R, D/4)
        captions_seen = self.y_embedder.y_proj_xattn(captions.embeddings.float()).to(self.dtype)
        rotary = rotary_angles(self.rope.bands, chunk_positions, chunk_width, height, width)
        seen = _SeenCaptions(
            captions_seen, captions.lengths, captions.mask() if len(latents) > 1 else None
        )
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

    def _condition(
        self, timesteps: Tensor, unconditional: bool, step_code: Tensor | None
    ) -> Tensor:
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
        return F.linear(input.float(), self.weight.float())


class _QueryKeyValue(nn.Module):
    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        size, kv_size = config.hidden_size, config.num_query_groups * config.kv_channels
        kind = Fp8TensorLinear if fp8 else None
        self.layer_norm = nn.LayerNorm(size, eps=config.layernorm_epsilon, dtype=dtype)
        self.q = _linear(size, size, dtype, kind)
        self.qx = _linear(size, size, dtype, kind)
        self.k = _linear(size, kv_size, dtype, kind)
        self.v = _linear(size, kv_size, dtype, kind)


class ParallelAttention(nn.Module):
    """Self-attention and caption attention side by side, joined by one projection."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        size, head = config.hidden_size, config.kv_channels
        eps = config.layernorm_epsilon
        self.groups, self.head_dim, self.dtype = config.num_query_groups, head, dtype
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
        linears = self.linear_qkv
        x = linears.layer_norm(x)
        q, k, v, qx = (
            linear(x).unflatten(-1, (-1, self.head_dim))
            for linear in (linears.q, linears.k, linears.v, linears.qx)
        )
        q = apply_rotary(self.q_layernorm(q), *rotary).to(self.dtype)
        k = apply_rotary(self.k_layernorm(k), *rotary).to(self.dtype)
        return q, k, v.to(self.dtype), self.q_layernorm_xattn(qx).to(self.dtype)

    def caption_keys(self, captions: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, D) -> keys and values (B, L, groups, head_dim)."""
        kv = self.linear_kv_xattn(captions).unflatten(-1, (self.groups, 2 * self.head_dim))
        k, v = kv.chunk(2, dim=-1)
        return self.k_layernorm_xattn(k).to(self.dtype), v.to(self.dtype)

    def join(self, own: Tensor, caption: Tensor) -> Tensor:
        """Project both attention outputs (N, S, D) each to one (N, S, D)."""
        a = torch.cat([own, caption], dim=-1)
        a = rearrange(a, "... (n hn hd) -> ... (hn n hd)", n=2, hn=_ATTENTION_INTERLEAVE)
        return self.linear_proj(a)


class FeedForward(nn.Module):
    """Layer norm, then GELU (4.5B) or SiLU-gated (24B) feed-forward. (N, S, D) -> same."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        size, inner = config.hidden_size, config.ffn_hidden_size
        self.gated = config.gated_linear_unit
        self.layer_norm = nn.LayerNorm(size, eps=config.layernorm_epsilon, dtype=dtype)
        widened = 2 * inner if self.gated else inner
        self.linear_fc1 = _linear(size, widened, dtype, Fp8TensorLinear if fp8 else None)
        self.linear_fc2 = _linear(inner, size, dtype, Fp8SmoothLinear if fp8 else None)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear_fc1(self.layer_norm(x))
        if self.gated:
            gate, value = x.chunk(2, dim=-1)
            x = F.silu(gate) * value
        else:
            x = F.gelu(x)
        return self.linear_fc2(x)


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
        self.dtype = dtype
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
        captions: _SeenCaptions,
        rotary: tuple[Tensor, Tensor],
        attend: Attend,
    ) -> Tensor:
        """(N, S, D) -> (N, S, D); arguments as in :meth:`VideoDiT.forward`."""
        chunks = condition.shape[1]
        q, k, v, qx = self.self_attention.project(x, rotary)
        own = attend(index, q, k, v)
        # Each chunk meets its own caption: chunks become rows.
        qx = rearrange(qx, "n (r s) h d -> (n r) s h d", r=chunks)
        k, v = self.self_attention.caption_keys(captions.tokens)
        seen = caption_attention(qx, k, v, captions.lengths, captions.mask)
        seen = rearrange(seen, "(n r) s h d -> n (r s) (h d)", r=chunks)
        return self.finish(x, own.flatten(2), seen, condition)

    def finish(self, x: Tensor, own: Tensor, seen: Tensor, condition: Tensor) -> Tensor:
        """Everything after the attentions; ``own`` and ``seen`` are (N, S, D)."""
        attention_gate, mlp_gate = self.ada_modulate_layer(condition)
        a = self.self_attention.join(own, seen)
        x = self._add(x, a, attention_gate, self.self_attn_post_norm)
        return self._add(x, self.mlp(x), mlp_gate, self.mlp_post_norm)

    def _add(self, x: Tensor, update: Tensor, gate: Tensor, norm: nn.Module) -> Tensor:
        by_chunk = update.float().unflatten(1, (gate.shape[1], -1)) * gate[:, :, None]
        return (x.float() + norm(by_chunk.flatten(1, 2))).to(self.dtype)
