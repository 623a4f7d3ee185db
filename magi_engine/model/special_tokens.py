"""Learned vectors that stand in front of a caption: quality, duration, style (spec section 4).

The names alone need no PyTorch.
"""

from __future__ import annotations

import enum
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.late import np
from magi_engine.messages import Message

if TYPE_CHECKING:
    import torch

_HINT = Message("Get the special_tokens.npz that belongs to the model again.")


class SpecialToken(enum.Enum):
    """What can be asked for beside the caption; the values are the official names.

    The members stand in the official order of insertion. Each is put in front of what is there,
    so the sequence reads the other way round: ``[DURATION, ..., HQ, ..., STATIC, caption]``.
    The release never inserts the first three, but for :data:`NEGATIVE_TOKENS`.
    """

    CAPTION = "CAPTION_TOKEN"
    LOGO = "LOGO_TOKEN"
    TRANS = "TRANS_TOKEN"
    STATIC_FIRST_FRAMES = "STATIC_FIRST_FRAMES_TOKEN"
    DYNAMIC_FIRST_FRAMES = "DYNAMIC_FIRST_FRAMES_TOKEN"
    BORDERNESS = "BORDERNESS_TOKEN"
    HQ = "HQ_TOKEN"
    THREE_D_MODEL = "THREE_D_MODEL_TOKEN"
    TWO_D_ANIME = "TWO_D_ANIME_TOKEN"
    DURATION = "DURATION_TOKEN"


DEFAULT_TOKENS = (SpecialToken.DURATION, SpecialToken.HQ)
"""What a generation uses unless told otherwise, as the sequence reads."""


NEGATIVE_TOKENS = (
    SpecialToken.CAPTION,
    SpecialToken.LOGO,
    SpecialToken.TRANS,
    SpecialToken.BORDERNESS,
)
"""What the release puts in front of the null caption with ``NEG_PROMPT=1``."""


def reading_order(tokens: Iterable[SpecialToken]) -> tuple[SpecialToken, ...]:
    """The given tokens, each once, as they stand in the sequence: the last inserted first."""
    chosen = set(tokens)
    return tuple(token for token in reversed(SpecialToken) if token in chosen)


# Where a token lives in the file: name of the array and row.
_PLACES = {
    SpecialToken.CAPTION: ("caption_token", 0),
    SpecialToken.LOGO: ("logo_token", 0),
    SpecialToken.TRANS: ("other_tokens", 0),
    SpecialToken.HQ: ("other_tokens", 1),
    SpecialToken.STATIC_FIRST_FRAMES: ("other_tokens", 2),
    SpecialToken.DYNAMIC_FIRST_FRAMES: ("other_tokens", 3),
    SpecialToken.BORDERNESS: ("other_tokens", 4),
    SpecialToken.THREE_D_MODEL: ("other_tokens", 15),
    SpecialToken.TWO_D_ANIME: ("other_tokens", 16),
}
_FIRST_DURATION_ROW = 7
_DURATIONS = 8
_MIN_ROWS = {"caption_token": 1, "logo_token": 1, "other_tokens": 17}


@dataclass(frozen=True)
class SpecialTokens:
    """The vectors of one model, fp32 on the CPU, each of the caption's width C."""

    vectors: dict[SpecialToken, torch.Tensor]
    """(C,) for every token but DURATION."""
    durations: torch.Tensor
    """(8, C), by the number of chunks left after the current one."""

    @classmethod
    def load(cls, path: str | Path) -> SpecialTokens:
        """Read a ``special_tokens.npz``: float64 in the file, used with float16's precision.

        Raises:
            ModelNotFoundError: there is no such file.
            WeightsError: the file is damaged, or its arrays are not what they should be.
        """
        import torch

        path = Path(path)
        arrays = _read_arrays(path)
        widths = {array.shape[1] for array in arrays.values()}
        if len(widths) != 1:
            raise WeightsError(
                "The tokens in {path} have different widths ({widths}).",
                _HINT,
                path=path,
                widths=sorted(widths),
            )
        rows = {
            name: torch.from_numpy(array.astype(np.float16).astype(np.float32))
            for name, array in arrays.items()
        }
        if not all(bool(values.isfinite().all()) for values in rows.values()):
            raise WeightsError("The tokens in {path} are not all finite numbers.", _HINT, path=path)
        return cls(
            vectors={token: rows[name][row] for token, (name, row) in _PLACES.items()},
            durations=rows["other_tokens"][_FIRST_DURATION_ROW:][:_DURATIONS],
        )

    @property
    def width(self) -> int:
        """C, which must equal the width of the captions."""
        return self.durations.shape[1]

    def vector(self, token: SpecialToken) -> torch.Tensor:
        """(C,) of any token but DURATION, which depends on the chunk: see :meth:`duration`."""
        return self.vectors[token]

    def duration(self, chunks_left: int | None) -> torch.Tensor:
        """(C,) of the DURATION token of a chunk that ``chunks_left`` more chunks follow.

        The file ends at 7, which means "7 or more"; so does ``None``, for a video without
        a planned end.
        """
        last = _DURATIONS - 1
        return self.durations[last if chunks_left is None else min(chunks_left, last)]


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The three arrays of the file, each checked to be (rows, C) of floats."""
    try:
        # Not np.load: when the file is damaged it leaves a half-made object behind that complains
        # when it is collected.
        with zipfile.ZipFile(path) as file:
            present = [name for name in _MIN_ROWS if f"{name}.npy" in file.namelist()]
            arrays = {name: _read_array(file, f"{name}.npy") for name in present}
    except FileNotFoundError as error:
        raise ModelNotFoundError(
            "The special tokens {path} are missing.", _HINT, path=path
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsError("The special tokens {path} cannot be read.", _HINT, path=path) from error
    for name, min_rows in _MIN_ROWS.items():
        if name not in arrays:
            raise WeightsError("{path} lacks the array {name}.", _HINT, path=path, name=name)
        array = arrays[name]
        if array.ndim != 2 or array.shape[0] < min_rows or array.dtype.kind != "f":
            raise WeightsError(
                "The array {name} in {path} is {dtype} of shape {shape}, but must be floats "
                "of shape ({min_rows} or more, width).",
                _HINT,
                name=name,
                path=path,
                dtype=array.dtype,
                shape=array.shape,
                min_rows=min_rows,
            )
    return arrays


def _read_array(file: zipfile.ZipFile, name: str) -> np.ndarray:
    with file.open(name) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
