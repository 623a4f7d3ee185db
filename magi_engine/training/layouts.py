"""Which chunk of a training sequence is clean, which is noisy, and what each may see.

Inference meets two situations, and training copies both:

* *streaming* (window 1): one noisy chunk after finished, clean ones. To learn from all chunks of
  a clip at once, the sequence holds every chunk but the last clean, then every chunk noisy; noisy
  chunk ``i`` sees the clean chunks before ``i`` and itself.
* *pipeline* (windows 2-8): several chunks in a row, each noisier than the one before and seeing
  it as noisy as it is; the first may be clean.

Attention runs over the chunks that are seen and no others, which costs half of a dense mask.
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

    @property
    def goes_on(self) -> list[bool]:
        """Of each chunk that is learned, whether it sees others."""
        return [self.sees[i] != (i,) for i in self.noisy_indices]


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
        by_count: dict[int, list[int]] = {}
        for i, seen in enumerate(layout.sees):
            by_count.setdefault(len(seen), []).append(i)
        self._groups = list(by_count.values())  # chunks that see equally many go in one call

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        del layer
        sees = self.layout.sees
        tokens = q.shape[1] // len(sees)
        # Repeating the groups here lets every attention kernel run backwards too.
        repeats = q.shape[2] // k.shape[2]
        k, v = (x.repeat_interleave(repeats, dim=2) for x in (k, v))
        if all(seen == (i,) for i, seen in enumerate(sees)):
            rows = (x.unflatten(1, (-1, tokens)).flatten(0, 1) for x in (q, k, v))
            return attention(*rows).unflatten(0, (len(q), -1)).flatten(1, 2)
        queries, keys, values = (x.split(tokens, dim=1) for x in (q, k, v))
        outputs: list[Tensor] = [q] * len(sees)
        for group in self._groups:
            own = _rows([queries[i] for i in group], len(group))
            seen = [j for i in group for j in sees[i]]
            found = attention(
                own,
                _rows([keys[j] for j in seen], len(group)),
                _rows([values[j] for j in seen], len(group)),
            )
            for i, out in zip(group, found.unflatten(0, (len(q), -1)).unbind(1), strict=True):
                outputs[i] = out
        return torch.cat(outputs, dim=1)


def _rows(pieces: list[Tensor], rows: int) -> Tensor:
    """Pieces (N, s, heads, D) one after the other, cut into ``rows`` equal parts per clip:
    (N * rows, pieces * s / rows, heads, D)."""
    if len(pieces) == 1:
        return pieces[0]
    return torch.cat(pieces, dim=1).unflatten(1, (rows, -1)).flatten(0, 1)
