"""T5's encoder as it was released (arXiv 1910.10683, version 1.1), under the names it has there.

transformers has it too; but to import it takes longer than to import PyTorch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_MOST = 1 << 20
_MOST_LAYERS = 256


@dataclass(frozen=True)
class T5Config:
    """The shape, under the names of the released ``config.json``."""

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_layers: int
    num_heads: int
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    layer_norm_epsilon: float = 1e-6

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> T5Config:
        """What a ``config.json`` says.

        Raises:
            ValueError: it is another kind of T5, or no shape at all.
        """
        if content.get("feed_forward_proj") != "gated-gelu":
            raise ValueError("feed_forward_proj is not gated-gelu")
        names = [field.name for field in dataclasses.fields(cls)]
        values = {name: content[name] for name in names if name in content}
        epsilon = values.get("layer_norm_epsilon", 1e-6)
        sizes = {name: v for name, v in values.items() if name != "layer_norm_epsilon"}
        for name, value in sizes.items():
            most = _MOST_LAYERS if name == "num_layers" else _MOST
            if type(value) is not int or not 0 < value <= most:
                raise ValueError(f"{name} is {value!r}")
        if type(epsilon) is not float or not 0 < epsilon < 1:
            raise ValueError(f"layer_norm_epsilon is {epsilon!r}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError("a size is missing") from error


class T5Encoder(nn.Module):
    """Captions as vectors; ``shared`` is the table of its tokens."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        self.shared = _table(config.vocab_size, config.d_model)
        self.encoder = _Stack(config, self.shared)

    def forward(self, words: Tensor, valid: Tensor | None = None) -> Tensor:
        """Rows of ``shared`` (N, L, C) as vectors of the same shape.

        Args:
            valid: (N, L), False where there is padding, which is not looked at.
        """
        unseen = None
        if valid is not None:
            unseen = torch.zeros_like(valid, dtype=words.dtype).masked_fill(~valid, -1e9)
            unseen = unseen[:, None, None]
        return self.encoder(words, unseen)


class _Stack(nn.Module):
    def __init__(self, config: T5Config, table: nn.Embedding) -> None:
        super().__init__()
        self.embed_tokens = table  # its second name
        self.block = nn.ModuleList(_Block(config, index == 0) for index in range(config.num_layers))
        self.final_layer_norm = _Norm(config)

    def forward(self, x: Tensor, unseen: Tensor | None) -> Tensor:
        bias = None
        for block in self.block:
            x, bias = block(x, bias, unseen)
        return self.final_layer_norm(x)


class _Block(nn.Module):
    def __init__(self, config: T5Config, first: bool) -> None:
        super().__init__()
        self.layer = nn.ModuleList((_SelfAttentionLayer(config, first), _FeedForwardLayer(config)))

    def forward(
        self, x: Tensor, bias: Tensor | None, unseen: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The first block makes the bias (1 or N, heads, L, L) of all."""
        attention, feed_forward = self.layer
        x, of_all = attention(x, bias, unseen)
        return feed_forward(x), of_all


class _SelfAttentionLayer(nn.Module):
    def __init__(self, config: T5Config, first: bool) -> None:
        super().__init__()
        self.SelfAttention = _SelfAttention(config, first)
        self.layer_norm = _Norm(config)

    def forward(
        self, x: Tensor, bias: Tensor | None, unseen: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if bias is None:
            bias = self.SelfAttention.bias(x.shape[1])
            bias = bias if unseen is None else bias + unseen
        return x + self.SelfAttention(self.layer_norm(x), bias), bias


class _SelfAttention(nn.Module):
    def __init__(self, config: T5Config, first: bool) -> None:
        super().__init__()
        self.config = config
        inner = config.num_heads * config.d_kv
        self.q = nn.Linear(config.d_model, inner, bias=False)
        self.k = nn.Linear(config.d_model, inner, bias=False)
        self.v = nn.Linear(config.d_model, inner, bias=False)
        self.o = nn.Linear(inner, config.d_model, bias=False)
        if first:
            self.relative_attention_bias = _table(
                config.relative_attention_num_buckets, config.num_heads
            )

    def bias(self, length: int) -> Tensor:
        """(1, heads, L, L), what is added for how far a token is from another one."""
        table = self.relative_attention_bias
        places = torch.arange(length, device=table.weight.device)
        return table(self._buckets(places - places[:, None])).permute(2, 0, 1)[None]

    def _buckets(self, offset: Tensor) -> Tensor:
        """Numbers of the rows for distances: a row each for short ones, then ever wider steps, and
        the second half of the rows for what comes later."""
        count = self.config.relative_attention_num_buckets // 2
        exact = count // 2
        distance = offset.abs()
        wide = torch.log(distance.float() / exact)
        wide = wide / math.log(self.config.relative_attention_max_distance / exact)
        wide = (exact + (wide * (count - exact)).long()).clamp(max=count - 1)
        return torch.where(distance < exact, distance, wide) + (offset > 0).long() * count

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (
            project(x).unflatten(-1, (self.config.num_heads, -1)).transpose(1, 2)
            for project in (self.q, self.k, self.v)
        )
        found = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        return self.o(found.transpose(1, 2).flatten(2))


class _FeedForwardLayer(nn.Module):
    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.DenseReluDense = _FeedForward(config)
        self.layer_norm = _Norm(config)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.DenseReluDense(self.layer_norm(x))


class _FeedForward(nn.Module):
    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.wi_0 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wi_1 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.wi_0(x)
        # In these steps, as it was trained and released; PyTorch's own rounds otherwise.
        bent = torch.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * torch.pow(gate, 3.0)))
        return self.wo(0.5 * gate * (1.0 + bent) * self.wi_1(x))


def _table(rows: int, width: int) -> nn.Embedding:
    """Not drawn at random: for that on the meta device, PyTorch loads its compiler."""
    return nn.Embedding.from_pretrained(torch.empty(rows, width), freeze=False)


class _Norm(nn.Module):
    """Without a mean and a bias."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.epsilon = config.layer_norm_epsilon
        self.weight = nn.Parameter(torch.ones(config.d_model))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon))
