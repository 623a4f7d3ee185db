"""A rough picture of a chunk while it is denoised: a linear map from latents to colours.

Decoding takes seconds; multiplying every latent by a small matrix takes milliseconds and gives a
picture of an eighth of the size. The matrix is fitted by least squares: at first on plain colours
sent through the encoder, then on every chunk that is decoded anyway. It is kept on disk for each
autoencoder, so that it gets better from video to video.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from magi_engine.json_text import read_cache, write_cache
from magi_engine.weights.files import weight_files

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

MAX_PER_SECOND = 8.0

_LEVELS = (0, 128, 255)
_PLAIN_SHAPE = (4, 64, 64, 3)
# Measured on the pocket model: plain colours alone are off by 27 of 255 on videos, fitted chunks by
# 2 on their own video, but by 100 and more on one with another background. With this little weight
# the plain colours hold the map together where the chunks say nothing.
_PLAIN_WEIGHT = 0.1
_MEMORY = 0.95
"""What the chunks seen so far count when one more comes."""
_RIDGE = 1e-4


class PreviewMap:
    """Turns latents of one autoencoder into small pictures.

    Args:
        plain, seen: the normal equations of the fit, see :func:`_equations`: of plain colours, and
            of chunks of videos.
    """

    def __init__(self, plain: NDArray[np.float64], seen: NDArray[np.float64]) -> None:
        self._plain, self._seen = plain, seen
        self._matrix = _solved(seen + _PLAIN_WEIGHT * plain)

    @classmethod
    def calibrated(cls, encode: Callable[[NDArray[np.uint8]], Tensor]) -> PreviewMap:
        """A map that has seen nothing but plain colours.

        Args:
            encode: frames (N, T, H, W, 3) to latents (N, C, T / 4, H / 8, W / 8).
        """
        colours = np.array(list(itertools.product(_LEVELS, repeat=3)), np.uint8)  # (N, 3)
        frames = np.broadcast_to(colours[:, None, None, None], (len(colours), *_PLAIN_SHAPE))
        # All in one batch, which takes less memory than decoding one tile of a picture.
        latents = _array(encode(frames.copy())).swapaxes(0, 2)  # (1, C, N, H / 8, W / 8)
        plain = _equations(latents, frames.reshape(-1, *_PLAIN_SHAPE[1:]))
        return cls(plain, 0 * plain)

    def learn(self, latents: Tensor, frames: NDArray[np.uint8]) -> None:
        """Note a decoded chunk: latents (1, C, T, h, w) and frames (4T, 8h, 8w, 3)."""
        self._seen = _MEMORY * self._seen + _equations(_array(latents), frames)
        self._matrix = _solved(self._seen + _PLAIN_WEIGHT * self._plain)

    def picture(self, latents: Tensor) -> NDArray[np.uint8]:
        """Latents (1, C, T, h, w) as RGB (T, h, w, 3)."""
        array = _array(latents)
        colours = _rows(array) @ self._matrix
        return colours.round().clip(0, 255).astype(np.uint8).reshape(*array.shape[2:], 3)

    def save(self, path: Path) -> None:
        """Write to ``path`` so that it never holds half a map; without a word if that fails."""
        write_cache(path, {"plain": self._plain.tolist(), "seen": self._seen.tolist()})

    @classmethod
    def load(cls, path: Path, channels: int) -> PreviewMap | None:
        """What ``save`` wrote; None if it is missing, damaged or for other than C ``channels``."""
        data = read_cache(path)
        if data is None:
            return None
        try:
            both = np.array([data["plain"], data["seen"]], float)
            if both.shape != (2, channels + 1, channels + 4) or not np.isfinite(both).all():
                raise ValueError(f"matrices of shape {both.shape}")
            return cls(*both)
        except (ValueError, KeyError, TypeError, np.linalg.LinAlgError) as error:
            logger.info("the map for previews in %s cannot be used: %s", path, error)
            return None


class Previewer:
    """The previews of one job: not too many, and the map kept for the next job.

    Args:
        autoencoder: the folder of its files, which say whether a kept map is about it.
        scale_factor: of the latents.
        channels: of the latents.
        encode: see :meth:`PreviewMap.calibrated`.
        cache_dir: where maps are kept.
    """

    def __init__(
        self,
        autoencoder: Path,
        scale_factor: float,
        channels: int,
        encode: Callable[[NDArray[np.uint8]], Tensor],
        cache_dir: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._next_s = clock()
        self._path = cache_dir / "previews" / f"{_fingerprint(autoencoder, scale_factor)}.json"
        self._map = PreviewMap.load(self._path, channels) or PreviewMap.calibrated(encode)

    def due(self) -> bool:
        """Whether the last picture is old enough for another one, which is to follow then."""
        now = self._clock()
        if now < self._next_s:
            return False
        self._next_s = now + 1 / MAX_PER_SECOND
        return True

    def picture(self, latents: Tensor) -> NDArray[np.uint8]:
        """See :meth:`PreviewMap.picture`."""
        return self._map.picture(latents)

    def learn(self, latents: Tensor, frames: NDArray[np.uint8]) -> None:
        """See :meth:`PreviewMap.learn`; what was learnt is kept at once."""
        self._map.learn(latents, frames)
        self._map.save(self._path)


def _fingerprint(autoencoder: Path, scale_factor: float) -> str:
    """Changes when the files of an autoencoder do; reading gigabytes to be sure is not worth it."""
    digest = hashlib.sha256((autoencoder / "config.json").read_bytes())
    for file in weight_files(autoencoder):
        stat = file.stat()
        digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    digest.update(str(scale_factor).encode())
    return digest.hexdigest()[:32]


def _array(latents: Tensor) -> NDArray[np.float32]:
    return latents.detach().float().cpu().numpy()


def _rows(latents: NDArray[np.float32]) -> NDArray[np.float64]:
    """(1, C, T, h, w) as (T h w, C + 1), the last column being one."""
    rows = np.moveaxis(latents[0], 0, -1).reshape(-1, latents.shape[1]).astype(np.float64)
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def _averaged(frames: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The mean of each of T x h x w boxes of (ft T, fh h, fw w, 3) frames: (T, h, w, 3)."""
    t, h, w = shape
    # One axis after the other, the one farthest apart in memory first: many times as fast as a
    # mean over three axes at once.
    sums = frames.reshape(t, -1, *frames.shape[1:]).sum(axis=1, dtype=np.uint32)
    sums = sums.reshape(t, h, -1, *sums.shape[2:]).sum(axis=2)
    sums = sums.reshape(t, h, w, -1, 3).sum(axis=3)
    return sums / (frames[..., 0].size / (t * h * w))


def _equations(latents: NDArray[np.float32], frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Normal equations of a least-squares fit: of latents and a one, (C + 1, C + 1), and beside
    these of the three colours; from latents (1, C, T, h, w) and the frames (ft T, fh h, fw w, 3)
    they stand for."""
    inputs = _rows(latents)
    colours = _averaged(frames, latents.shape[2:]).reshape(-1, 3)
    return inputs.T @ np.concatenate([inputs, colours], axis=1) / len(inputs)


def _solved(equations: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (C + 1, 3)."""
    gram, moment = equations[:, :-3], equations[:, -3:]
    ridge = _RIDGE * np.trace(gram) / len(gram)
    return np.linalg.solve(gram + ridge * np.eye(len(gram)), moment)
