"""What was made from which weights on this machine. Needs no PyTorch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError, safe_open

from magi_engine import atomic
from magi_engine.config.places import MADE_FOLDER
from magi_engine.errors import MagiError
from magi_engine.json_text import read_json
from magi_engine.model.caption_cleaning import clean_caption
from magi_engine.weights.files import unreadable, weight_files

_T = TypeVar("_T")

RECIPE = "e4m3, SmoothQuant 0.45, compensated, 3"
"""Goes into the file; to be changed whenever the same weights would come out differently."""

WIDEST_COMPENSATED = 4096
"""Part of it: inputs of a layer whose rounding is compensated. For wider ones the sums of products
of all layers would not fit beside the model."""

TEXT_RECIPE = "t5 int8, groups of 128, 1"
"""The same for text encoders."""

FILE_NAME = "model.safetensors"

SIDE_FILES = ("config.json", "spiece.model", "tokenizer_config.json", "special_tokens_map.json")
"""What a text encoder made here gets of its source."""

EMBEDDINGS = "embeddings"
"""Where encoded prompts are, in the folder of what can be made again."""

_SOURCE_FILE = "source.json"
_UNFINISHED_SOURCE = f".{_SOURCE_FILE}.*.part"
_HASHED_AT_ONCE = 1 << 20
_QUICKLY_HASHED = 64 << 20


@dataclass(frozen=True)
class Provenance:
    """What quantised weights were made from, and how."""

    recipe: str
    source_sha256: str

    @classmethod
    def of_source(cls, source: Path) -> Provenance:
        """What quantising the checkpoint ``source`` now would note; reads all of it.

        Raises:
            ModelNotFoundError, WeightsError: it is not there or damaged.
        """
        return cls(RECIPE, finished(content_hash(source)))

    @property
    def metadata(self) -> dict[str, str]:
        """The same for the header of the file."""
        return {"recipe": self.recipe, "source_sha256": self.source_sha256}

    @classmethod
    def read(cls, folder: Path) -> Provenance | None:
        """What the weights in ``folder`` note; None if they are not ours or cannot be read."""
        try:
            with safe_open(folder / FILE_NAME, framework="numpy") as file:
                noted = file.metadata() or {}
            return cls(noted["recipe"], noted["source_sha256"])
        except (OSError, SafetensorError, KeyError):
            return None


def content_hash(source: Path) -> Generator[float, None, str]:
    """SHA-256 of a checkpoint's files, one after the other; yields the fraction that is read.

    Raises:
        ModelNotFoundError, WeightsError: it is not there or damaged.
    """
    digest = hashlib.sha256()
    files = weight_files(source)
    done, total = 0, sum(path.stat().st_size for path in files)
    for path in files:
        try:
            with path.open("rb") as file:
                while block := file.read(_HASHED_AT_ONCE):
                    digest.update(block)
                    done += len(block)
                    yield done / total
        except OSError as error:
            raise unreadable(path) from error
    return digest.hexdigest()


def finished(
    work: Generator[float, None, _T], show: Callable[[float], None] = lambda _fraction: None
) -> _T:
    """What ``work`` returns at its end; ``show`` is told what it yields."""
    while True:
        try:
            show(next(work))
        except StopIteration as end:
            return end.value


def small_text_encoder_folder(models_dir: Path, source_sha256: str) -> Path:
    """Where the 8-bit form of a text encoder with this content is or would be."""
    recipe = hashlib.sha256(TEXT_RECIPE.encode()).hexdigest()[:8]
    return models_dir / MADE_FOLDER / f"t5-{source_sha256[:16]}-{recipe}"


def find_small_text_encoder(models_dir: Path, source_sha256: str) -> Path | None:
    """The folder of the 8-bit form of a text encoder, if it has been made as it would be now."""
    folder = small_text_encoder_folder(models_dir, source_sha256)
    made = Provenance.read(folder) == Provenance(TEXT_RECIPE, source_sha256)
    return folder if made else None


def is_current(folder: Path, source: Path) -> bool:
    """Whether the transformer that was made in ``folder`` is what ``source`` would become now.

    A source that has been deleted cannot have changed. Quick: files count as the same by name,
    size and time of change; only small ones are hashed.
    """
    made = Provenance.read(folder)
    if made is None or made.recipe != RECIPE:
        return False
    try:
        files = weight_files(source)
        stamps = _stamps(source)
    except (OSError, MagiError):
        return True
    try:
        if read_json(folder / _SOURCE_FILE)["files"] == stamps:
            return True
    except (OSError, ValueError, KeyError, TypeError):
        pass
    small = sum(path.stat().st_size for path in files) <= _QUICKLY_HASHED
    return small and made == Provenance.of_source(source)


def is_made_file(path: Path) -> bool:
    """Whether a file is called as what is written when weights are made on this machine."""
    names = (FILE_NAME, f".{FILE_NAME}.part", _SOURCE_FILE, *SIDE_FILES)
    return path.name in names or path.match(_UNFINISHED_SOURCE)


def note_source(folder: Path, source: Path) -> None:
    """Note beside weights made here which files they stand for, so that nobody need hash them."""
    noted = {"folder": str(source.resolve()), "files": _stamps(source)}
    for left_by_a_kill in folder.glob(_UNFINISHED_SOURCE):
        left_by_a_kill.unlink(missing_ok=True)
    atomic.write_text(folder / _SOURCE_FILE, json.dumps(noted))


def small_text_encoder_of(source: Path, models_dir: Path) -> Path | None:
    """The 8-bit form of the text encoder in ``source``, which may have been deleted since.

    Quick: files count as the same by name, size and time of change.
    """
    try:
        stamps = _stamps(source)
    except MagiError:
        stamps = None
    for path in sorted((models_dir / MADE_FOLDER).glob(f"t5-*/{_SOURCE_FILE}")):
        made = Provenance.read(path.parent)
        if made is None or made.recipe != TEXT_RECIPE:
            continue
        try:
            noted = read_json(path)
            same = (
                noted["folder"] == str(source.resolve())
                if stamps is None
                else noted["files"] == stamps
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if same:
            return path.parent
    return None


def _stamps(source: Path) -> list[list[str | int]]:
    files = [(path, path.stat()) for path in weight_files(source)]
    return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in files]


def embedding_name(encoder: Path, prompt: str, max_length: int) -> str | None:
    """The name for a prompt; None if there is no encoder.

    Args:
        encoder: the folder of the text encoder.
        max_length: of the captions the transformer takes.
    """
    try:
        key = "\0".join((clean_caption(prompt), _encoder_identity(encoder), str(max_length)))
    except (OSError, MagiError):  # loading it will say so
        return None
    return f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.safetensors"


def _encoder_identity(encoder: Path) -> str:
    """The encoder's content, as far as it can be told without reading gigabytes."""
    vocabulary = hashlib.sha256((encoder / "spiece.model").read_bytes()).hexdigest()
    made = Provenance.read(encoder)
    if made is not None:
        return f"{vocabulary} {made.recipe} {made.source_sha256}"
    files = [(path, path.stat()) for path in weight_files(encoder)]
    return f"{vocabulary} {[(p.name, s.st_size, s.st_mtime_ns) for p, s in files]}"
