"""What a kill or a power cut leaves of a take: whole chunks, as many as were announced, and what
they ought to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magi_engine.config.places import FOLDER
from magi_engine.errors import MagiError, TakeError
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.metadata import read_request
from magi_engine.takes.store import Take, TakeStore
from tests.faults.figures import Figures, frame_count

_CLOSE = 1e-3
"""Between two computations of the same latents, whose sums may be ordered differently."""


def takes_of(home: Path) -> TakeStore:
    """Of a program that keeps all it has below ``home``."""
    return TakeStore(home / "data" / FOLDER / "takes")


def latents_of(take: Take) -> list[NDArray[np.float32]]:
    """Of every chunk.

    Raises:
        TakeError: one is damaged.
    """
    return [take.read(chunk) for chunk in range(take.chunks)]


def check_takes(
    figures: Figures,
    store: TakeStore,
    what: str,
    *,
    announced: int,
    frames: int,
    right: list[NDArray[np.float32]],
) -> Take | None:
    """Of the one video of a store; returns its take, None if there is none.

    Args:
        announced: chunks that must be there, whatever came.
        frames: those of the video that were kept: a take is never ahead of it.
        right: what the latents of the video are, as far as they are known; what this take has of
            more chunks is put to them, and is what the next one's must be.
    """
    folders = [path for path in store.folder.glob("[!.]*") if path.is_dir()]
    takes = store.all()
    figures.check(len(takes) == len(folders) <= 1, f"{what}: {folders} are read as {takes}")
    figures.check(bool(takes) or not announced, f"{what}: no take of {announced} chunks")
    if not takes:
        return None
    take = takes[0]
    figures.check(take.chunks >= announced, f"{what}: take: {take.chunks} of {announced} chunks")
    figures.check(take.frames <= frames, f"{what}: take: {take.frames} frames, video: {frames}")
    try:
        request = Earlier.of_take(take).resumed()
        found = latents_of(take)
        start = take.start(take.chunks)
    except MagiError as error:
        figures.check(False, f"{what}: take: {error}")
        return take
    figures.check(request.start is not None, f"{what}: the take cannot be gone on from")
    same = all(map(_close, found, right))
    figures.check(same, f"{what}: other latents than those of another run")
    right += found[len(right) :]
    whole = start is None or start.shape[2] == take.latents_before(take.chunks)
    figures.check(whole, f"{what}: the take's start is not whole")
    figures.outcomes["chunks of takes read"] += len(found)
    return take


def check_made(figures: Figures, store: TakeStore, videos: Sequence[Path]) -> None:
    """Every take of a store is whole as far as it goes, and every video has one, of all its chunks
    but perhaps the one that was just written."""
    takes = {take.name: take for take in store.all()}
    folders = [path.name for path in store.folder.glob("[!.]*") if path.is_dir()]
    figures.check(sorted(takes) == sorted(folders), f"{folders} are read as {list(takes)}")
    for take in takes.values():
        try:
            figures.outcomes["chunks of takes read"] += len(latents_of(take))
        except TakeError as error:
            figures.check(False, f"{take.name}: {error}")
    for video in videos:
        request = read_request(video)
        take = takes.get(request.take or "")
        frames = 0 if take is None else take.frames
        made, chunk = frame_count(video), request.chunk_frames
        figures.check(frames >= made - chunk, f"{video.name}: {made} frames, take: {frames}")


def _close(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return one.shape == other.shape and np.allclose(one, other, atol=_CLOSE, rtol=_CLOSE)
