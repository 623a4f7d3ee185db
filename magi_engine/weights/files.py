"""Which files a checkpoint consists of (spec section 8). Needs no PyTorch."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.json_text import read_json
from magi_engine.messages import Message

_GET_HINT = Message("Download the model's files, or give the folder that holds them.")

# Names of an unsharded checkpoint, best first.
_SINGLE_NAMES = ("model.safetensors", "diffusion_pytorch_model.safetensors", "pytorch_model.bin")
_INDEX_PATTERNS = ("*.safetensors.index.json", "*.bin.index.json")
# MAGI-1 numbers its layers where MAGI-1.1 has one tensor for all of them.
_STACKED = re.compile(r"videodit_blocks\.layers\.(?!\d)")


def weight_files(path: str | Path) -> list[Path]:
    """The files of a checkpoint, which are known to exist; nothing is read but an index.

    Args:
        path: a file of weights, an index file, or a folder that holds either; of each
            safetensors file the folder may hold ``NAME.zst`` instead.

    Raises:
        ModelNotFoundError: no weights there, or a file that the index names is missing.
        WeightsError: the index is damaged or names files outside its folder.
    """
    path = Path(path)
    if path.is_dir():
        return _files_of_folder(path)
    if path.name.endswith(".index.json"):
        return _files_of_index(path)
    return [_present(path)]


def checkpoint_files(folder: Path) -> list[Path]:
    """The same of a folder, and the index that names them. Errors as of :func:`weight_files`."""
    index = _index_of(folder)
    return ([] if index is None else [index]) + _files_of_folder(folder)


def refuse_stacked(names: Iterable[str], path: Path) -> None:
    """Refuse a checkpoint of MAGI-1.1, by the names of its tensors.

    Raises:
        WeightsError: that is what it is.
    """
    if any(map(_STACKED.match, names)):
        raise WeightsError(
            "{path} is of MAGI-1.1, whose tensors hold all layers, stacked and packed in a way "
            "that is not published, so that no code outside gives pictures with it.",
            "Use a model of MAGI-1.",
            path=path,
        )


def refuse_stacked_files(path: Path) -> None:
    """The same of a folder of weights or an index, as far as an index or a header tells; what is
    missing or damaged is left to those who read it."""
    from safetensors import SafetensorError, safe_open

    with contextlib.suppress(ModelNotFoundError, OSError, SafetensorError):
        index = _index_of(path) if path.is_dir() else path
        if index is not None:
            refuse_stacked(_weight_map(index), path)
            return
        (file,) = weight_files(path)
        if file.suffix == ".safetensors":
            with safe_open(file, framework="numpy") as header:
                refuse_stacked(header.keys(), path)


def _index_of(folder: Path) -> Path | None:
    """The index in a folder. Raises WeightsError if there is more than one."""
    for pattern in _INDEX_PATTERNS:
        indices = sorted(folder.glob(pattern))
        if len(indices) > 1:
            names = [index.name for index in indices]
            raise WeightsError(
                "{folder} holds more than one checkpoint ({names}).",
                "Give the index to use.",
                folder=folder,
                names=names,
            )
        if indices:
            return indices[0]
    return None


def _files_of_folder(folder: Path) -> list[Path]:
    index = _index_of(folder)
    if index is not None:
        return _files_of_index(index)
    for name in _SINGLE_NAMES:
        for candidate in (folder / name, folder / f"{name}.zst"):
            if candidate.is_file():
                return [candidate]
    raise ModelNotFoundError(
        "The folder {folder} holds no weights (looked for an index file and for {names}).",
        _GET_HINT,
        folder=folder,
        names=_SINGLE_NAMES,
    )


def _weight_map(index: Path) -> dict[str, str]:
    """The file of each tensor."""
    try:
        weight_map = read_json(_present(index))["weight_map"]
    except OSError as error:
        raise WeightsError("The index {index} cannot be read.", _GET_HINT, index=index) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(index) from error
    if not isinstance(weight_map, dict):
        raise _damaged(index)
    return weight_map


def _damaged(index: Path) -> WeightsError:
    return WeightsError("The index {index} is damaged.", "Download that file again.", index=index)


def _files_of_index(index: Path) -> list[Path]:
    try:
        names = list(dict.fromkeys(_weight_map(index).values()))  # each once, in order
    except TypeError as error:
        raise _damaged(index) from error
    for name in names:
        # A file beside the index and nothing else: neither "../x" nor "/x" nor "C:x".
        if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\:"):
            raise WeightsError(
                "The index {index} names the file {name!r}, which is not in its folder.",
                "Use weights from the official release.",
                index=index,
                name=name,
            )
    return [_present(index.parent / name) for name in names]


def _present(path: Path) -> Path:
    """``path``, or ``path.zst`` if only that exists."""
    compressed = path.with_name(f"{path.name}.zst")
    for candidate in (path, compressed):
        try:
            if candidate.is_file():
                return candidate
        except PermissionError as error:
            raise unreadable(candidate) from error
    raise ModelNotFoundError("The file {path} is missing.", _GET_HINT, path=path)


def unreadable(path: Path) -> WeightsError:
    """What to say of a file that may not be read."""
    return WeightsError("{path} cannot be read.", "Check its permissions.", path=path)
