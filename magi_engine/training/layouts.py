"""Which chunk of a training sequence is clean, which is noisy, and what each may see.

Inference meets two situations, and training copies both:

* *streaming* (window 1): one noisy chunk after finished, clean ones. To learn from all chunks of
  a clip at once, the sequence holds every chunk but the last clean, then every chunk noisy; noisy
  chunk ``i`` sees the clean chunks before ``i`` and itself.
* *pipeline* (windows 2-8): several chunks in a row, each noisier than the one before and seeing
  it as noisy as it is; the first may be clean.

Attention runs chunk by chunk over slices, which costs half of a dense mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from magi_engine.ops.attention import attention


@dataclass(frozen=True)
class Layout:
    """A training sequence of S chunks.

    Attributes:
        positions: (S,) position of each chunk in the clip, in chunks.
        clean: (S,) whether the chunk is given clean.
        sees: (S,) the sequence indices each chunk attends to, rising, itself included.
    """

    positions: tuple[int, ...]
    clean: tuple[bool, ...]
    sees: tuple[tuple[int, ...], ...]

    @property
    def noisy_indices(self) -> list[int]:
        """Sequence indices of the chunks that are learned."""
        return [i for i, clean in enumerate(self.clean) if not clean]


def streaming(chunks: int, kv_range: int) -> Layout:
    """All chunks of a clip, each with up to ``kv_range - 1`` clean chunks before it."""
    history = chunks - 1
    sees: list[tuple[int, ...]] = [(i,) for i in range(history)]
    for chunk in range(chunks):
        earlier = range(max(0, chunk - kv_range + 1), chunk)
        sees.append((*earlier, history + chunk))
    positions = (*range(history), *range(chunks))
    if kv_range == 1:  # nobody looks at the clean chunks: leave them out
        return Layout(tuple(range(chunks)), (False,) * chunks, tuple((i,) for i in range(chunks)))
    return Layout(positions, (True,) * history + (False,) * chunks, tuple(sees))


def pipeline(chunks: int, clean: int, kv_range: int) -> Layout:
    """``clean`` clean chunks, each seeing itself, then noisy ones seeing what is before them."""
    sees = [(i,) for i in range(clean)]
    sees += [tuple(range(max(0, i - kv_range + 1), i + 1)) for i in range(clean, chunks)]
    flags = tuple(i < clean for i in range(chunks))
    return Layout(tuple(range(chunks)), flags, tuple(sees))


class LayoutAttention:
    """Self-attention along a layout; an ``Attend`` for ``VideoDiT.forward``."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        del layer
        tokens = q.shape[1] // len(self.layout.sees)
        # Repeating the groups here lets every attention kernel run backwards too.
        repeats = q.shape[2] // k.shape[2]
        k, v = (x.repeat_interleave(repeats, dim=2) for x in (k, v))
        keys, values = k.split(tokens, dim=1), v.split(tokens, dim=1)
        outputs = []
        for own, sees in zip(q.split(tokens, dim=1), self.layout.sees, strict=True):
            if len(sees) == 1:
                seen_k, seen_v = keys[sees[0]], values[sees[0]]
            elif sees[-1] - sees[0] == len(sees) - 1:
                span = slice(sees[0] * tokens, (sees[-1] + 1) * tokens)
                seen_k, seen_v = k[:, span], v[:, span]
            else:
                seen_k = torch.cat([keys[i] for i in sees], dim=1)
                seen_v = torch.cat([values[i] for i in sees], dim=1)
            outputs.append(attention(own, seen_k, seen_v))
        return torch.cat(outputs, dim=1)
