"""Who is denoised with whom, and who sees whom (spec sections 3 and 4).

A video is denoised in *stages* of ``num_steps / window_size`` steps. In every stage one new
chunk enters at pure noise and the oldest one leaves finished, so a chunk goes through
``window_size`` stages.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from magi_engine.config.official import LAST_KV_RANGE

_PREFIX_RANGE = 8
"""How far chunks of a prefix look back if no range says it."""


@dataclass(frozen=True)
class Stage:
    """The window during one stage.

    Attributes:
        first, last: chunks ``first .. last - 1`` are denoised.
        steps: per chunk of the window, the step it is at when the stage begins.
        length: steps in this stage.
        rereads_clean: whether the stage begins by reading chunk ``first - 1`` once more, clean.
    """

    first: int
    last: int
    steps: tuple[int, ...]
    length: int
    rereads_clean: bool

    @property
    def chunks(self) -> range:
        """The chunks being denoised."""
        return range(self.first, self.last)


def stages(
    num_chunks: int | None, num_steps: int, window_size: int, offset: int
) -> Iterator[Stage]:
    """All stages of a video, without end if ``num_chunks`` is None.

    Args:
        num_chunks: chunks in all, the clean ones of a prefix included.
        offset: whole clean chunks that stand before the first denoised one.
    """
    length = num_steps // window_size
    newest = offset
    while True:
        first = max(offset, newest - window_size + 1)
        last = newest + 1 if num_chunks is None else min(num_chunks, newest + 1)
        if first >= last:
            return
        steps = tuple((newest - chunk) * length for chunk in range(first, last))
        yield Stage(first, last, steps, length, rereads_clean=first > offset)
        newest += 1


@dataclass(frozen=True)
class HistoryRule:
    """How far back chunks look, in chunks including themselves.

    Attributes:
        noisy: ``noise2clean_kvrange``, one entry per equal part of the steps; empty = all.
        clean: ``clean_chunk_kvrange``, for chunks that are read clean; -1 = the last of ``noisy``.
        num_steps: steps per chunk.
    """

    noisy: tuple[int, ...]
    clean: int
    num_steps: int

    def first_seen(self, chunk: int, step: int) -> int:
        """The earliest chunk that ``chunk`` attends to at ``step``."""
        if not self.noisy:
            return 0
        part = step * len(self.noisy) // self.num_steps
        return max(0, chunk - self.noisy[part] + 1)

    @property
    def clean_range(self) -> int:
        """How far back clean chunks look; only those of a prefix where ``noisy`` is empty."""
        if self.clean != LAST_KV_RANGE:
            return self.clean
        return self.noisy[-1] if self.noisy else _PREFIX_RANGE

    def first_seen_clean(self, chunk: int) -> int:
        """The earliest chunk that ``chunk`` attends to when it is read again, clean."""
        return max(0, chunk - self.clean_range + 1) if self.noisy else 0

    def first_seen_in_prefix(self, chunk: int) -> int:
        """The earliest chunk that ``chunk`` of a prefix attends to."""
        return max(0, chunk - self.clean_range + 1)

    def prefix_read(self, stage: Stage) -> range:
        """The whole chunks of a prefix that are read before ``stage``, the first one.

        Where each sees only itself, those that nobody will look at need not be read.
        """
        return range(0 if self.clean_range > 1 else self.oldest_needed(stage), stage.first)

    def oldest_needed(self, stage: Stage) -> int:
        """The earliest chunk any forward from this stage on attends to."""
        # All the steps ahead count, since a range may also grow along the steps; and so does
        # the clean read that will follow this stage.
        seen = [
            self.first_seen(chunk, step)
            for chunk, start in zip(stage.chunks, stage.steps, strict=True)
            for step in range(start, self.num_steps)
        ]
        next_clean = stage.first - 1 if stage.rereads_clean else stage.first
        return min(*seen, self.first_seen_clean(next_clean))


@dataclass(frozen=True)
class CacheChunks:
    """How many chunks' keys and values a video needs at once.

    Attributes:
        kept: clean ones, through all layers.
        work: all that a forward computes or sees, one layer at a time.
    """

    kept: int
    work: int

    @classmethod
    def of(
        cls,
        rule: HistoryRule,
        window_size: int,
        num_chunks: int | None,
        offset: int,
        copies: bool,
    ) -> CacheChunks:
        """Of a video with whole clean chunks up to ``offset``.

        Args:
            num_chunks: as of :func:`stages`; not None if the rule looks back without limit.
            copies: whether a nearly clean copy of the oldest chunk may stand behind the window.
        """
        ahead = stages(num_chunks, rule.num_steps, window_size, offset)
        if rule.noisy:
            # After the window has filled and the history is as deep as it gets, nothing changes.
            ahead = itertools.islice(ahead, 2 * window_size + max(*rule.noisy, rule.clean_range))
        reaches = [(stage, rule.oldest_needed(stage)) for stage in ahead]
        # Reading the prefix needs room for what its chunks see.
        prefix = min(rule.clean_range, offset)
        return cls(
            kept=max(prefix, *(stage.first - oldest for stage, oldest in reaches)),
            work=max(prefix, 1, *(stage.last - oldest + copies for stage, oldest in reaches)),
        )
