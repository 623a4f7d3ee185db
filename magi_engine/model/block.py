"""One layer of MAGI-1's transformer (spec section 2)."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from magi_engine.config.official import ModelConfig
from magi_engine.model.captions import SeenCaptions
from magi_engine.ops.fp8 import (
    E4M3,
    Fp8SmoothLinear,
    Fp8TensorLinear,
    fp8_matmul,
    input_divisor,
)
from magi_engine.ops.kernels import Heads, Kernels
from magi_engine.ops.norms import LayerNorm1p

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""``attend(layer, q, k, v)``: self-attention of one layer. q (N, S, heads, head_dim),
k and v (N, S, groups, head_dim), k already rotated; returns the shape of q, perhaps in its
memory."""


class Rooms(NamedTuple):
    """Memory for what attention looks with and at, see :class:`Heads`; None: anywhere."""

    q: Tensor | None = None
    k: Tensor | None = None
    v: Tensor | None = None
    qx: Tensor | None = None


class KeyRoom(ABC):
    """An :data:`Attend` that says where keys and values are to be written."""

    @abstractmethod
    def room(self, layer: int, shape: tuple[int, int]) -> Rooms:
        """For the layer that is about to run on (N, S) tokens."""

    @abstractmethod
    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Part:
    """Some of the tokens (N, S) of a forward, to be computed together where tokens do not meet.

    Attributes:
        videos, tokens: which.
        chunks: of these videos, the chunks the tokens belong to.
        captions: the same chunks, counted through all videos.
    """

    videos: slice
    tokens: slice
    chunks: slice
    captions: slice

    @property
    def rows(self) -> tuple[slice, slice]:
        """As an index into (N, S, ...)."""
        return self.videos, self.tokens


def parts_of(videos: int, chunks: int, chunk_tokens: int, most: int) -> list[Part]:
    """Cut a forward of ``videos`` times ``chunks`` into parts of at most ``most`` tokens each:
    whole videos, else whole chunks of one, else pieces of a chunk."""
    length = chunks * chunk_tokens
    if length <= most:
        return [
            Part(slice(a, b), slice(0, length), slice(0, chunks), slice(a * chunks, b * chunks))
            for a, b in _even(videos, most // length)
        ]
    parts = []
    for n in range(videos):
        for a, b in _even(chunks, max(1, most // chunk_tokens)):
            begin, end = a * chunk_tokens, b * chunk_tokens
            parts += [
                Part(
                    slice(n, n + 1),
                    slice(begin + first, begin + last),
                    slice(a, b),
                    slice(n * chunks + a, n * chunks + b),
                )
                for first, last in _even(end - begin, max(most, 1))
            ]
    return parts


def _even(count: int, most: int) -> list[tuple[int, int]]:
    """``count`` things in as few groups of at most ``most`` as it takes, all of about one size."""
    groups = -(-count // most)
    return [(count * i // groups, count * (i + 1) // groups) for i in range(groups)]


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

    @functools.cached_property
    def factor(self) -> float:
        """What the product of fp8 linears is multiplied by."""
        assert self.divisor is not None
        assert self.scales is not None
        return (self.divisor[0] * self.scales[0]).item()

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]:
        """(N, S, D) -> one (N, S, features) per linear, and the factors they still lack."""
        if self.divisor is None or self.scales is None or self.ratios is None:
            return F.linear(x, self.weight).split(self.widths, dim=-1), (None,) * len(self.widths)
        assert x.dtype is E4M3
        rows = x.flatten(0, -2)
        out = fp8_matmul(
            rows, self.weight[0], self.divisor[0], self.scales[0], self.dtype, lambda: self.factor
        )
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
        self.heads, self.groups, self.head_dim = size // head, config.num_query_groups, head
        self.dtype = dtype
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
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        q_room: Tensor | None = None,
        k_room: Tensor | None = None,
        v_room: Tensor | None = None,
        qx_room: Tensor | None = None,
    ) -> Heads:
        """(N, S, D) -> heads, normed and rotated, written into the rooms that are given."""
        parts, scales = self.linear_qkv(x, self.kernels)
        heads = self.kernels.heads(
            Heads(*(part.unflatten(-1, (-1, self.head_dim)) for part in parts)),
            (self.q_layernorm, self.k_layernorm, self.q_layernorm_xattn),
            rotary,
            scales,
            (q_room, k_room, v_room, qx_room),
        )
        return Heads(*(x.to(self.dtype) for x in heads))

    def project_parts(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        parts: Sequence[Part],
        rooms: Rooms,
    ) -> Heads:
        """:meth:`project` part by part."""
        if len(parts) == 1:
            return self.project(x, rotary, *rooms)
        counts = (self.heads, self.groups, self.groups, self.heads)
        heads = Heads(
            *(
                x.new_empty((*x.shape[:2], count, self.head_dim)) if room is None else room
                for room, count in zip(rooms, counts, strict=True)
            )
        )
        cos, sin = rotary
        for part in parts:
            angles = cos[part.tokens], sin[part.tokens]
            self.project(x[part.rows], angles, *(room[part.rows] for room in heads))
        return heads

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
        activate = self.kernels.silu_gate if self.gated else self.kernels.gelu
        # One expression: what is widened is freed as soon as it has been activated.
        return self.linear_fc2(activate(self.linear_fc1(normed), input_divisor(self.linear_fc2)))


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
        captions: SeenCaptions,
        rotary: tuple[Tensor, Tensor],
        attend: Attend | KeyRoom,
        parts: Sequence[Part],
    ) -> Tensor:
        """(N, S, D) -> (N, S, D), without autograd in the same memory.

        Args:
            parts: what is computed together of everything but self-attention, which they make
                up; more than one only without autograd. For the others see
                :meth:`magi_engine.model.dit.VideoDiT.forward`.
        """
        attention = self.self_attention
        shape = x.shape[0], x.shape[1]
        rooms = attend.room(index, shape) if isinstance(attend, KeyRoom) else Rooms()
        q, k, v, qx = attention.project_parts(x, rotary, parts, rooms)
        own = attend(index, q, k, v)
        del q, k, v  # the most memory is held further down
        attention_gates, mlp_gates = self.ada_modulate_layer(condition)
        keeps_input = torch.is_grad_enabled()
        for part in parts:
            at = part.videos, part.chunks
            into = None if keeps_input else x[part.rows]
            out = self.finish(
                x[part.rows],
                # Not a name here: it would keep the memory while the feed-forward runs.
                attention.join(
                    own[part.rows].flatten(2),
                    captions.attend(index, attention, qx[part.rows], part.captions).flatten(2),
                ),
                attention_gates[at],
                mlp_gates[at],
                into,
            )
            if keeps_input:
                x = out
        return x

    def finish(
        self,
        x: Tensor,
        update: Tensor,
        attention_gate: Tensor,
        mlp_gate: Tensor,
        into: Tensor | None,
    ) -> Tensor:
        """What comes after attention, of its input and its ``update``: (N, S, D) -> the same."""
        x, normed = self.kernels.add_gated_and_norm(
            x,
            update,
            attention_gate,
            self.self_attn_post_norm,
            self.mlp.layer_norm,
            input_divisor(self.mlp.linear_fc1),
        )
        del update
        return self.kernels.add_gated(x, self.mlp(normed), mlp_gate, self.mlp_post_norm, into)
