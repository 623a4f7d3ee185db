"""Taking over model files that are on this machine already, without copying them."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import ModelEntry, ModelPaths, Registry
from magi_engine.errors import ModelNotFoundError, OutputError
from magi_engine.resources import resource_path
from magi_engine.weights.layout import entry_paths, find_model, missing_parts

_PARTS = ("transformer", "autoencoder", "text_encoder", "special_tokens")
_TOKENS = (Path("special_tokens.npz"), Path("example/assets/special_tokens.npz"))


@dataclasses.dataclass(frozen=True)
class Imported:
    """What was found."""

    sentence: str
    files: tuple[Path, ...]
    """All files of it, as they are seen from the folder of models."""


def import_models(path: Path, models_dir: Path) -> Imported:
    """Link the parts of released models that are found at ``path`` into the folder of models.

    Args:
        path: an official folder (``ckpt/...`` or ``downloads/...``), or an official configuration.

    Raises:
        ModelNotFoundError: nothing is there.
        ConfigError: the configuration is damaged.
        OutputError: no link can be made.
    """
    if not path.exists():
        raise ModelNotFoundError(f"There is no {path}.", "Check the name and the folder.")
    entries = [entry for entry in Registry.load().entries if entry.is_downloaded]
    found = _by_config(path, entries) if path.suffix == ".json" else _in_folder(path, entries)
    if not found:
        raise ModelNotFoundError(
            f"No released model was found in {path}.",
            "Choose the folder that holds “ckpt” or “downloads”.",
        )
    for entry, places in found:
        targets = entry_paths(entry, models_dir)
        for part, place in places.items():
            _link(place, getattr(targets, part))
    parts = {getattr(entry_paths(entry, models_dir), p) for entry, places in found for p in places}
    files = tuple(file for part in sorted(parts) for file in _files(part))
    ready = [entry.title for entry, _ in found if not missing_parts(entry, models_dir)]
    if ready:
        return Imported(f"Ready to use: {', '.join(ready)}.", files)
    return Imported(f"Found parts of: {', '.join(entry.title for entry, _ in found)}.", files)


_Found = list[tuple[ModelEntry, dict[str, Path]]]
"""By model: where each of its parts is."""


def _in_folder(root: Path, entries: list[ModelEntry]) -> _Found:
    found = []
    for entry in entries:
        places = {}
        for part in _PARTS:
            place = next(filter(Path.exists, _candidates(root, part, entry.files)), None)
            if place is not None:
                places[part] = place.resolve()
        if "transformer" in places:
            found.append((entry, places))
    return found


def _candidates(root: Path, part: str, files: ModelPaths) -> Iterator[Path]:
    """Where a part may be in the forms the release comes in."""
    usual: Path = getattr(files, part)
    if part == "special_tokens":
        for folder in (root, *root.resolve().parents[:2]):
            yield from (folder / tokens for tokens in _TOKENS)
        return
    # The folder itself may be one further down. "inference_weight" alone says too little.
    shortest = 2 if part == "transformer" else 1
    for length in range(len(usual.parts), shortest - 1, -1):
        tail = Path(*usual.parts[-length:])
        yield root / tail
        yield root / "downloads" / tail
    if part == "transformer" and root.name == usual.parts[-2]:
        yield root / usual.name
    if part == "text_encoder":
        yield root / "downloads" / "t5_pretrained" / usual.name
        yield root / "t5_pretrained" / usual.name


def _by_config(path: Path, entries: list[ModelEntry]) -> _Found:
    files = find_model(path).files
    config = MagiConfig.from_json(path)

    def kind(of: MagiConfig) -> tuple[object, ...]:
        return of.model_config, of.engine_config.distill, of.engine_config.fp8_quant

    for entry in entries:
        if kind(MagiConfig.from_json(resource_path(entry.config))) == kind(config):
            return [(entry, {f.name: getattr(files, f.name) for f in dataclasses.fields(files)})]
    return []


def _files(part: Path) -> list[Path]:
    if part.is_dir():
        return sorted(file for file in part.iterdir() if file.is_file())
    return [part] if part.is_file() else []


def _link(source: Path, target: Path) -> None:
    """Make ``target`` lead to ``source``; what is there already stays, unless it leads nowhere."""
    if target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if sys.platform == "win32" and source.is_dir():
            import _winapi

            _winapi.CreateJunction(str(source), str(target))  # needs no rights, unlike a link
        elif sys.platform == "win32":
            os.link(source, target)
        else:
            target.symlink_to(source)
    except OSError as error:
        raise OutputError(
            f"Nothing can be linked into {target.parent}.", "Choose another folder of models."
        ) from error
