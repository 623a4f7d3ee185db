"""First chunks of several videos that go through the transformer in one batch.

Each is a request of its own, with a file and a take of its own. One whose turn comes says which
others may be sampled along with it; what came of them is there already when it is theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from magi_engine.media.writer import WriteOptions
from magi_engine.runtime.request.request import Along, GenerationRequest, PromptChange

if TYPE_CHECKING:
    from torch import Tensor


def with_along(
    request: GenerationRequest, waiting: Iterable[GenerationRequest]
) -> GenerationRequest:
    """``request`` with those of ``waiting`` that can be sampled along with it: of which only the
    first chunk is made, too, and which differ in nothing but seed and prompt."""
    common = _common(request, "")
    others = [
        Along(other.seed, other.prompt)
        for other in waiting
        if common is not None and _common(other, "") == common
    ]
    itself = Along(request.seed, request.prompt)
    along = tuple(other for other in dict.fromkeys(others) if other != itself)
    return dataclasses.replace(request, along=along)


def _common(request: GenerationRequest, prompt: str, seed: int = 0) -> str | None:
    """What the first chunk depends on, with another prompt and seed; None: more than that one is
    made, or none of it."""
    if request.only_chunks != 1 or request.start is not None or not request.prompts:
        return None
    first = PromptChange(0, prompt, request.prompts[0].transition)
    bare = dataclasses.replace(
        request.as_wished(),
        seed=seed,
        prompts=(first,),
        output=None,
        writing=WriteOptions(),
        along=(),
    )
    return bare.to_json()


class FirstChunks:
    """Those that were sampled along with another video's."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}
        self._prefix: Tensor | None = None

    def keep(
        self,
        request: GenerationRequest,
        along: Iterable[Along],
        latents: Iterable[Tensor],
        prefix: Tensor | None,
    ) -> None:
        """Keep the chunks of ``along``, (16, T, h, w) each, instead of those of an earlier batch.

        Args:
            request: whose turn it was.
            prefix: what they start from.
        """
        self._prefix = prefix
        names = (_common(request, other.prompt, other.seed) for other in along)
        self._kept = {
            name: chunk[None].cpu()
            for name, chunk in zip(names, latents, strict=True)
            if name is not None
        }

    def holds(self, request: GenerationRequest) -> bool:
        """Whether there is the chunk of ``request``."""
        return _common(request, request.prompt, request.seed) in self._kept

    def take(self, request: GenerationRequest, prefix: Tensor | None) -> Tensor | None:
        """The chunk (1, 16, T, h, w) of ``request``, which is not kept any longer; None: there is
        none that starts from ``prefix``."""
        name = _common(request, request.prompt, request.seed)
        if name is None or name not in self._kept:
            return None
        chunk, known = self._kept.pop(name), self._prefix
        if prefix is None or known is None:
            return chunk if prefix is known else None
        same = prefix.shape == known.shape and bool((prefix.cpu() == known.cpu()).all())
        return chunk if same else None
