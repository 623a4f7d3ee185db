"""Find the backdrop and the objects of a clip, and follow the objects through its frames.

Plain image analysis: what differs from the backdrop is an object, connected pixels of one colour
are one object, and nearest neighbours in consecutive frames are the same object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magi_engine.training.rendering import backdrop
from magi_engine.training.scenes import BACKGROUND_RGB, COLOUR_RGB, Background, Colour

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Frames = NDArray[np.uint8]
"""(T, H, W, 3) RGB, or one of them."""

#: A pixel this far (RGB distance, 8-bit levels) from the backdrop belongs to an object.
_FOREGROUND_DISTANCE = 45.0
#: A pixel within this distance of a background's colour is explained by it.
_BACKDROP_DISTANCE = 32.0
#: A background has to explain this share of all pixels.
_BACKDROP_SHARE = 0.4
#: A colour further than this from every named one has no name.
_COLOUR_DISTANCE = 80.0
#: Smaller specks, as a share of the picture, are no objects (0.3 %: 50 of 128 x 128 pixels).
_SMALLEST_AREA = 0.003
#: An object with two colours of at least this share each is two touching objects.
_SECOND_COLOUR_SHARE = 0.3
#: Objects move less than this many widths from one sighting to the next.
_LARGEST_STEP = 0.12
#: An object is seen in at least this share of the frames.
_SMALLEST_PRESENCE = 0.4

_PALETTE: Floats = np.array(list(COLOUR_RGB.values()), np.float32)


@dataclass(frozen=True)
class Track:
    """One object followed through T frames.

    Attributes:
        label: (T,) its number in ``Tracks.labels`` in each frame, 0 where it was not seen.
        rgb: (T, 3) mean colour of its inside, 8-bit levels; NaN where it was not seen.
        cover: (T, H, W) how much of each pixel it covers, 0 to 1; 0 where it was not seen.
    """

    label: Ints
    rgb: Floats
    cover: Floats

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T,) whether the object was found in each frame."""
        return self.label > 0


@dataclass(frozen=True)
class _Blob:
    label: int
    centre: Floats  # (2,) x, y in pixels
    area: int
    rgb: Floats  # (3,)


def _lengths(vectors: Floats) -> Floats:
    """Of vectors (..., 3), in a third of the time that ``numpy.linalg.norm`` takes."""
    return np.sqrt(_products(vectors, vectors))


def _products(first: Floats, second: Floats) -> Floats:
    """Scalar products of vectors (..., 3)."""
    return np.einsum("...i,...i->...", first, second)


def find_background(frames: Frames) -> Background | None:
    """The background that explains most of a clip (T, H, W, 3), if one does."""
    sample = frames[:: max(1, len(frames) // 8)].astype(np.float32)
    shares = []
    for rgb in BACKGROUND_RGB.values():
        distance = _lengths(sample - _backdrop_rows(rgb, frames.shape[1]))
        shares.append(float((distance < _BACKDROP_DISTANCE).mean()))
    best = int(np.argmax(shares))
    return Background(best) if shares[best] >= _BACKDROP_SHARE else None


def nearest_colour(rgb: Floats) -> Colour | None:
    """The named colour nearest to ``rgb`` (3,) in 8-bit levels, if any is near."""
    distance = _lengths(_PALETTE - rgb)
    best = int(distance.argmin())
    return Colour(best) if distance[best] <= _COLOUR_DISTANCE else None


def find_tracks(frames: Frames, background: Background) -> list[Track]:
    """All objects of a clip (T, H, W, 3), the one with the most visible pixels first."""
    offset = _offset_from_backdrop(frames, background)
    labels = np.zeros(frames.shape[:3], np.int32)
    open_tracks: list[list[tuple[int, _Blob]]] = []
    for t in range(len(frames)):
        blobs = _find_blobs(frames[t], _lengths(offset[t]), labels[t])
        _extend(open_tracks, blobs, t, frames.shape[2])
    long_enough = _SMALLEST_PRESENCE * len(frames)
    kept = [sightings for sightings in open_tracks if len(sightings) >= long_enough]
    kept.sort(key=lambda sightings: -sum(blob.area for _, blob in sightings))
    return [_track(sightings, frames, offset, labels) for sightings in kept]


def _backdrop_rows(rgb: tuple[int, int, int], height: int) -> Floats:
    """(height, 1, 3) colours of the rows of a background."""
    return backdrop(rgb, height).numpy().T[:, None]


def _offset_from_backdrop(frames: Frames, background: Background) -> Floats:
    """(T, H, W, 3) difference from the backdrop, whose exact level is taken from each frame."""
    rows = _backdrop_rows(BACKGROUND_RGB[background], frames.shape[1])
    offset = frames.astype(np.float32) - rows
    sparse = offset[:, ::3, ::3].reshape(len(frames), -1, 3)
    near = _lengths(sparse) < _BACKDROP_DISTANCE
    for t in range(len(frames)):
        if near[t].any():
            offset[t] -= np.median(sparse[t, near[t]], axis=0)
    return offset


def _find_blobs(frame: Frames, distance: Floats, labels: Ints) -> list[_Blob]:
    """Objects of one frame (H, W, 3); numbers their pixels in ``labels`` (H, W), from 1."""
    components = connected_components(distance > _FOREGROUND_DISTANCE)
    smallest = _SMALLEST_AREA * components.size
    sizes = np.bincount(components.ravel())
    blobs: list[_Blob] = []
    for number in range(1, len(sizes)):
        if sizes[number] < smallest:
            continue
        ys, xs = np.nonzero(components == number)
        rgb = frame[ys, xs].astype(np.float32)  # (pixels, 3)
        for mine, colour in _split_by_colour(rgb, distance[ys, xs], smallest):
            label = len(blobs) + 1
            labels[ys[mine], xs[mine]] = label
            centre = np.array([xs[mine].mean(), ys[mine].mean()], np.float32)
            blobs.append(_Blob(label, centre, int(mine.sum()), colour))
    return blobs


def _split_by_colour(
    rgb: Floats, distance: Floats, smallest: float
) -> list[tuple[NDArray[np.bool_], Floats]]:
    """Masks and inner colours of the one or two objects that a component consists of."""
    # The inside: away from the edge, where colours are mixed with the backdrop.
    core = distance >= 0.8 * np.percentile(distance, 75)
    named = _lengths(rgb[:, None] - _PALETTE).argmin(1)
    counts = np.bincount(named[core], minlength=len(_PALETTE))
    first, second = np.argsort(counts)[::-1][:2]
    if counts[second] < max(_SECOND_COLOUR_SHARE * core.sum(), smallest):
        return [(np.ones(len(rgb), bool), rgb[core].mean(0))]
    colours = [rgb[core & (named == name)].mean(0) for name in (first, second)]
    gaps = [_lengths(rgb - colour) for colour in colours]
    nearer = gaps[0] <= gaps[1]
    return [(nearer, colours[0]), (~nearer, colours[1])]


def _extend(
    tracks: list[list[tuple[int, _Blob]]], blobs: list[_Blob], frame: int, width: int
) -> None:
    """Add the blobs of one frame to the tracks they continue, nearest pairs first."""
    pairs = []
    for i, sightings in enumerate(tracks):
        last_frame, last = sightings[-1]
        gate = _LARGEST_STEP * width * min(frame - last_frame, 3)
        for j, blob in enumerate(blobs):
            gap = float(np.linalg.norm(blob.centre - last.centre))
            if gap <= gate:
                pairs.append((gap, i, j))
    used_tracks: set[int] = set()
    used_blobs: set[int] = set()
    for _, i, j in sorted(pairs):
        if i not in used_tracks and j not in used_blobs:
            tracks[i].append((frame, blobs[j]))
            used_tracks.add(i)
            used_blobs.add(j)
    tracks.extend([(frame, blob)] for j, blob in enumerate(blobs) if j not in used_blobs)


def _track(
    sightings: list[tuple[int, _Blob]], frames: Frames, offset: Floats, labels: Ints
) -> Track:
    """A track with its pixel cover: where between backdrop and object colour each pixel lies."""
    count, height, width = labels.shape
    label = np.zeros(count, np.int32)
    rgb = np.full((count, 3), np.nan, np.float32)
    cover = np.zeros(labels.shape, np.float32)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    for t, blob in sightings:
        label[t], rgb[t] = blob.label, blob.rgb
        towards = blob.rgb - (frames[t].astype(np.float32) - offset[t])  # (H, W, 3)
        share = _products(offset[t], towards) / _products(towards, towards).clip(1.0)
        # Beyond the blob itself only its soft rim counts, not noise far away.
        reach = 1.0 + 1.6 * _farthest(labels[t] == blob.label, blob.centre)
        near = (xs - blob.centre[0]) ** 2 + (ys - blob.centre[1]) ** 2 < reach**2
        mine = near & ((labels[t] == 0) | (labels[t] == blob.label)) & (share > 0.15)
        cover[t] = np.where(mine, share.clip(0, 1), 0)
    return Track(label, rgb, cover)


def _farthest(mask: NDArray[np.bool_], centre: Floats) -> float:
    """Root mean square distance of the pixels of a mask from ``centre``, in pixels."""
    ys, xs = np.nonzero(mask)
    return float(np.sqrt(2 * ((xs - centre[0]) ** 2 + (ys - centre[1]) ** 2).mean()))


def connected_components(mask: NDArray[np.bool_]) -> Ints:
    """Number the 4-connected regions of ``mask`` (H, W) from 1; 0 elsewhere.

    Works on the runs of each row, joined where they touch runs of the row above.
    """
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    edges = np.diff(padded, axis=1)
    rows, begins = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first_of_row = np.searchsorted(rows, np.arange(mask.shape[0] + 1))
    for i, (row, begin, end) in enumerate(zip(rows.tolist(), begins, ends, strict=True)):
        if row == 0:
            continue
        for j in range(first_of_row[row - 1], first_of_row[row]):
            if begins[j] < end and ends[j] > begin:
                parent[root(i)] = root(j)
    numbers = np.unique([root(i) for i in range(len(rows))], return_inverse=True)[1]
    labels = np.zeros(mask.shape, np.int32)
    for row, begin, end, number in zip(rows, begins, ends, numbers, strict=True):
        labels[row, begin:end] = number + 1
    return labels
