"""Taking over model files that are on this machine already, without copying them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import PARTS, ModelEntry, ModelPaths, Registry
from magi_engine.errors import ModelNotFoundError
from magi_engine.install.links import link
from magi_engine.resources import resource_path
from magi_engine.weights.files import refuse_stacked_files
from magi_engine.weights.layout import SPECIAL_TOKENS, entry_paths, find_model

_INDEX = "*.safetensors.index.json"
_DEPTH = 4
"""So many folders from the root of the release down to an index of weights."""
_MOST_FOLDERS = 1000
"""So many are looked into for weights of another kind: somebody may have chosen a whole disk."""

Found = list[tuple[ModelEntry, dict[str, Path]]]
"""By model: where each of its parts is, by the names of the fields of ``ModelPaths``."""


def import_models(path: Path, models_dir: Path) -> list[ModelEntry]:
    """Link the parts of released models that are found at ``path`` into the folder of models.

    Args:
        path: an official folder (``ckpt/...`` or ``downloads/...``), or an official configuration.

    Returns:
        The models of which something was found.

    Raises:
        ModelNotFoundError: nothing is there.
        WeightsError: what is there is of MAGI-1.1, or an index of it is damaged.
        ConfigError: the configuration is damaged.
        DiskFullError, OutputError: no link can be made.
    """
    found = find_parts(path)
    for entry, places in found:
        targets = entry_paths(entry, models_dir)
        for part, place in places.items():
            link(place, getattr(targets, part))
    return [entry for entry, _ in found]


def find_parts(path: Path) -> Found:
    """The parts of released models that are at ``path``. Arguments and errors as above."""
    try:
        if not path.exists():
            raise ModelNotFoundError(
                "There is no {path}.", "Check the name and the folder.", path=path
            )
        entries = [e for e in Registry.load().entries if e.is_downloaded and e.like is None]
        found = (
            _by_config(path, entries) if path.suffix == ".json" else find_in_folder(path, entries)
        )
    except OSError as error:
        raise ModelNotFoundError(
            "{path} cannot be read.", "Check its permissions.", path=path
        ) from error
    if not found:
        raise ModelNotFoundError(
            "No released model was found in {path}.",
            "Choose the folder that holds “ckpt” or “downloads”.",
            path=path,
        )
    return found


def find_in_folder(root: Path, entries: list[ModelEntry]) -> Found:
    """The parts of ``entries`` in a folder, of those whose transformer is there.

    Raises:
        WeightsError: what is there is of MAGI-1.1, or an index of it is damaged.
    """
    found = []
    for entry in entries:
        places = {part: place for part in PARTS if (place := _place(root, part, entry.files))}
        if "transformer" in places:
            refuse_stacked_files(places["transformer"])
            found.append((entry, places))
    if not found:
        refuse_stacked_files(root)
        for folder, below, _ in islice(os.walk(root, followlinks=True), _MOST_FOLDERS):
            if len(Path(folder).relative_to(root).parts) == _DEPTH:
                below.clear()
            for index in Path(folder).glob(_INDEX):
                refuse_stacked_files(index)
    return found


def _place(root: Path, part: str, files: ModelPaths) -> Path | None:
    """Where a part is, if it is there."""
    roots = (root, *root.resolve().parents[:2]) if part == "special_tokens" else (root,)
    candidates = [folder / place for place in part_places(part, files) for folder in roots]
    if part == "transformer" and root.name == files.transformer.parts[-2]:
        candidates.append(root / files.transformer.name)
    place = next(filter(Path.exists, candidates), None)
    return None if place is None else place.resolve()


def part_places(part: str, files: ModelPaths) -> Iterator[Path]:
    """Where a part may be in the forms the release comes in, seen from its root."""
    if part == "special_tokens":
        yield from SPECIAL_TOKENS
        return
    # The root may be a folder further down. "inference_weight" alone says too little.
    usual: Path = getattr(files, part)
    shortest = 2 if part == "transformer" else 1
    for length in range(len(usual.parts), shortest - 1, -1):
        tail = Path(*usual.parts[-length:])
        yield tail
        yield "downloads" / tail
    if part == "text_encoder":
        yield Path("downloads", "t5_pretrained", usual.name)
        yield Path("t5_pretrained", usual.name)


def _by_config(path: Path, entries: list[ModelEntry]) -> Found:
    files = find_model(path).files
    config = MagiConfig.from_json(path)

    def kind(of: MagiConfig) -> tuple[object, ...]:
        return of.model_config, of.engine_config.distill, of.engine_config.fp8_quant

    for entry in entries:
        if kind(MagiConfig.from_json(resource_path(entry.config))) == kind(config):
            return [(entry, {f.name: getattr(files, f.name) for f in dataclasses.fields(files)})]
    return []
