"""Scaled dot-product attention over grouped heads, through PyTorch's own kernels."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A function that computes what :func:`attention` does."""


class Prepared(ABC):
    """An :data:`Attention` that makes something of keys and values first, and needs no memory for
    its result."""

    @abstractmethod
    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor: ...

    @abstractmethod
    def prepare(
        self, queries: Sequence[Tensor], k: Tensor, v: Tensor, counts: Sequence[int]
    ) -> list[Callable[[], Tensor]]:
        """See :func:`prepare`."""


def prepare(
    attend: Attention, queries: Sequence[Tensor], k: Tensor, v: Tensor, counts: Sequence[int]
) -> list[Callable[[], Tensor]]:
    """For each of some queries what computes ``attend(q, k, v)`` with the first so many keys and
    values, when it is called, perhaps in the memory of ``q``."""
    if isinstance(attend, Prepared):
        return attend.prepare(queries, k, v, counts)
    return [
        functools.partial(attend, q, k[:, :count], v[:, :count])
        for q, count in zip(queries, counts, strict=True)
    ]


_SCORES_AT_ONCE = 1 << 20
"""So many stay in a processor's cache."""


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / sqrt(D)) v with consecutive query heads sharing a key/value group.

    Args:
        q: (N, Sq, heads, D).
        k, v: (N, Sk, groups, D), ``heads`` a multiple of ``groups``.

    Returns:
        (N, Sq, heads, D).
    """
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        enable_gqa=q.shape[2] != k.shape[2],
    )
    return out.transpose(1, 2)


def attention_by_products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """:func:`attention` as two matrix products, some queries at a time; inference only.

    On a processor that multiplies bfloat16 in hardware, whose flash kernel does not, this takes
    half the time. Scores and weights are rounded to the dtype of the inputs.
    """
    videos, length, _, head_dim = q.shape
    groups = k.shape[2]
    keys = k.permute(0, 2, 3, 1).flatten(0, 1).contiguous()  # (N * groups, D, Sk)
    values = v.transpose(1, 2).flatten(0, 1).contiguous()  # (N * groups, Sk, D)
    per_group = q.unflatten(2, (groups, -1)).transpose(1, 2)  # (N, groups, Sq, repeats, D)
    rows = per_group.flatten(2, 3).flatten(0, 1) * head_dim**-0.5
    out = torch.empty_like(rows)
    at_once = max(1, _SCORES_AT_ONCE // (videos * groups * k.shape[1]))
    for first in range(0, rows.shape[1], at_once):
        some = slice(first, first + at_once)
        weights = torch.softmax(torch.bmm(rows[:, some], keys), dim=-1)
        out[:, some] = torch.bmm(weights, values)
    by_head = out.unflatten(0, (videos, groups)).unflatten(2, (length, -1)).transpose(1, 2)
    return by_head.flatten(2, 3)
