"""Where the files of a model are, in the official layout (spec section 8). Needs no PyTorch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from magi_engine.config.official import EngineConfig, MagiConfig
from magi_engine.config.places import default_models_dir, expanded
from magi_engine.config.registry import ModelEntry, ModelPaths, Registry
from magi_engine.errors import ConfigError, ModelNotFoundError, WeightsError
from magi_engine.messages import Message
from magi_engine.resources import resource_path
from magi_engine.weights.files import (
    checkpoint_files,
    refuse_stacked_files,
    weight_files,
)
from magi_engine.weights.manifest import Manifest
from magi_engine.weights.provenance import FILE_NAME, Provenance, is_current, small_text_encoder_of

_VAE_FILES = ("config.json",)
_TEXT_FILES = ("config.json", "spiece.model")
_T5_FOLDER = "t5-v1_1-xxl"
# Where the release keeps its special tokens, seen from the root of its source, and where we do.
SPECIAL_TOKENS = (Path("special_tokens.npz"), Path("example/assets/special_tokens.npz"))
# An official configuration is in example/4.5B/, its paths are relative to the source's root.
_LEVELS_UP = 3


@dataclass(frozen=True)
class FoundModel:
    """A model whose files are all there."""

    name: str
    """Its name in the registry, or the name of its configuration file."""
    title: str
    config: MagiConfig
    files: ModelPaths
    entry: ModelEntry | None
    """None for a model given by its configuration file."""


def find_model(name_or_config: str | Path, models_dir: Path | None = None) -> FoundModel:
    """Find a model by its name in the registry or by an official configuration file.

    Args:
        name_or_config: a known name, or the path of a ``.json`` file.
        models_dir: where downloaded models are; by default :func:`default_models_dir`.

    Raises:
        ModelNotFoundError: unknown name, or a part is missing; says which and where it was sought.
            Also for a model to be made on this machine that has not been made, or from other
            weights or in another way than it would be now; says how to make it.
        ConfigError: the configuration file is damaged.
        WeightsError: an index of weights is damaged; or a known model has files that were never
            verified, or have been changed since.
    """
    models_dir = models_dir or default_models_dir()
    if Path(name_or_config).suffix == ".json":
        return _by_config(Path(name_or_config), models_dir)
    entry = Registry.load().find(str(name_or_config))
    files = entry_paths(entry, models_dir)
    if entry.made_from is not None:
        _require_made(entry, models_dir)
    files = _with_small_text_encoder(files, models_dir)
    _require_parts(files, entry.title)
    _require_verified(entry, models_dir)
    config = MagiConfig.from_json(resource_path(entry.config))
    return FoundModel(entry.name, entry.title, config, files, entry)


def entry_paths(entry: ModelEntry, models_dir: Path | None = None) -> ModelPaths:
    """Where the files of a known model are or would be."""
    here = entry.files.below(models_dir or default_models_dir())
    if not entry.ships:
        return here
    shipped = entry.files.below(resource_path("models.json").parent)
    return shipped if entry.made_from is None else replace(shipped, transformer=here.transformer)


def missing_parts(entry: ModelEntry, models_dir: Path | None = None) -> tuple[str, ...]:
    """The parts of a known model that are not there, such as ``("text encoder",)``."""
    models_dir = models_dir or default_models_dir()
    files = _with_small_text_encoder(entry_paths(entry, models_dir), models_dir)
    missing = _missing(files)
    return tuple(dict.fromkeys(str(part) for part, _ in missing))


def needed_files(entry: ModelEntry, models_dir: Path | None = None) -> list[Path]:
    """The files a known model is read from, as far as they are there and are not our own work.

    Those that ship with the program, and those that were quantised on this machine, are known by
    other marks than a hash.

    Raises:
        WeightsError: an index of weights is damaged.
    """
    models_dir = models_dir or default_models_dir()
    files = entry_paths(entry, models_dir)
    folders: list[tuple[Path, tuple[str, ...]]] = [(files.autoencoder, _VAE_FILES)]
    if entry.made_from is None:
        folders.append((files.transformer, ()))
    if small_text_encoder_of(files.text_encoder, models_dir) is None:
        folders.append((files.text_encoder, _TEXT_FILES))
    needed = [files.special_tokens]
    for folder, names in folders:
        needed += [folder / name for name in names]
        with contextlib.suppress(ModelNotFoundError):
            needed += checkpoint_files(folder)
    shipped = resource_path("models.json").parent
    return [path for path in needed if path.is_file() and not path.is_relative_to(shipped)]


def unverified_files(entry: ModelEntry, models_dir: Path | None = None) -> list[Path]:
    """Those of :func:`needed_files` that were never found to be right, or were changed since."""
    models_dir = models_dir or default_models_dir()
    manifest = Manifest.load(models_dir)
    return [p for p in needed_files(entry, models_dir) if not manifest.holds(manifest.key(p))]


def weights_folder_name(config: EngineConfig) -> str:
    """What the release calls the folder of a DiT's weights."""
    fp8 = ".fp8" if config.fp8_quant else ""
    distill = ".distill" if config.distill else ""
    return f"inference_weight{fp8}{distill}"


def models_command(models_dir: Path, *words: str) -> str:
    """The command that does something with the models of a folder, such as ``quantize NAME``."""
    where = () if models_dir == default_models_dir() else ("--models-dir", str(models_dir))
    quoted = (f'"{word}"' if " " in word else word for word in (*words, *where))
    return " ".join(["magi models", *quoted])


def _with_small_text_encoder(files: ModelPaths, models_dir: Path) -> ModelPaths:
    """The 8-bit form of the text encoder, once it has been made, takes the original's place."""
    small = small_text_encoder_of(files.text_encoder, models_dir)
    return files if small is None else replace(files, text_encoder=small)


def _require_made(entry: ModelEntry, models_dir: Path) -> None:
    assert entry.made_from is not None
    command = models_command(models_dir, "quantize", entry.name)
    hint = Message("Make it with: {command}", command=command)
    source = Registry.load().find(entry.made_from)
    weights = entry_paths(entry, models_dir).transformer
    if not (weights / FILE_NAME).is_file():
        raise ModelNotFoundError(
            "{title} has not been made on this machine yet.", hint, title=entry.title
        )
    if Provenance.read(weights) is None:
        raise ModelNotFoundError(
            "{title}, which was made on this machine, is damaged.", hint, title=entry.title
        )
    if not is_current(weights, entry_paths(source, models_dir).transformer):
        raise ModelNotFoundError(
            "{title} was made from an older {source}.", hint, title=entry.title, source=source.title
        )


def _require_verified(entry: ModelEntry, models_dir: Path) -> None:
    if unverified_files(entry, models_dir):
        raise WeightsError(
            "The files of {title} have not been checked yet, or were changed.",
            "Check them with: {command}",
            title=entry.title,
            command=models_command(models_dir, "verify", entry.name),
        )


def _by_config(path: Path, models_dir: Path) -> FoundModel:
    config, files = _config_files(path, models_dir)
    files = _with_small_text_encoder(files, models_dir)
    refuse_stacked_files(files.transformer)
    _require_parts(files, path.name)
    return FoundModel(path.stem, path.stem, config, files, None)


def _config_files(path: Path, models_dir: Path) -> tuple[MagiConfig, ModelPaths]:
    config = MagiConfig.from_json(path)
    runtime = config.runtime_config
    folder = path.resolve().parent
    roots = (folder, *folder.parents[:_LEVELS_UP], Path.cwd(), models_dir)

    transformer = _resolve(runtime.load, "load", path, roots)
    if not transformer.name.startswith("inference_weight"):  # else the folder itself is named
        transformer = transformer / weights_folder_name(config.engine_config)
    text_encoder = _resolve(runtime.t5_pretrained, "t5_pretrained", path, roots)
    if (text_encoder / _T5_FOLDER).is_dir():
        text_encoder = text_encoder / _T5_FOLDER
    files = ModelPaths(
        transformer=transformer,
        autoencoder=_resolve(runtime.vae_pretrained, "vae_pretrained", path, roots),
        text_encoder=text_encoder,
        # No field names them, so a file far from the release may still lead there.
        special_tokens=_find_special_tokens((*roots, *transformer.parents[:_LEVELS_UP])),
    )
    return config, files


def _resolve(value: str, field: str, config: Path, roots: tuple[Path, ...]) -> Path:
    """The folder that a path in a configuration file means: the first of ``roots`` that has it."""
    if not value:
        raise ConfigError(
            "{config}: the field runtime_config.{field} is empty.",
            "Write the folder of the model's files into it.",
            config=config,
            field=field,
        )
    given = expanded(value)
    candidates = [root / given for root in roots]  # an absolute path stays as it is
    for candidate in candidates:
        if candidate.is_dir():
            return candidate.resolve()
    raise ModelNotFoundError(
        "{config}: there is no folder {value} (runtime_config.{field}; looked for {sought}).",
        "Download the model's files, or correct that field.",
        config=config,
        value=value,
        field=field,
        sought=list(dict.fromkeys(candidates)),
    )


def _find_special_tokens(roots: tuple[Path, ...]) -> Path:
    for root in roots:
        for place in SPECIAL_TOKENS:
            if (root / place).is_file():
                return (root / place).resolve()
    return roots[0] / SPECIAL_TOKENS[0]


def _require_parts(files: ModelPaths, title: str) -> None:
    missing = next(_missing(files), None)
    if missing is not None:
        part, problem = missing
        raise ModelNotFoundError(
            "{title} is not complete, its {part} cannot be used. {problem}",
            "Download the model, or give the folder of models that holds it.",
            title=title,
            part=part,
            problem=problem,
        )


def _missing(files: ModelPaths) -> Iterator[tuple[Message, Message]]:
    """Which part is not there or not complete, and why."""
    folders = (
        (Message("transformer"), files.transformer, ()),
        (Message("autoencoder"), files.autoencoder, _VAE_FILES),
        (Message("text encoder"), files.text_encoder, _TEXT_FILES),
    )
    for part, folder, names in folders:
        if not folder.is_dir():
            yield part, Message("There is no folder {folder}.", folder=folder)
            continue
        for name in names:
            if not (folder / name).is_file():
                yield part, Message("The file {path} is missing.", path=folder / name)
        try:
            weight_files(folder)
        except ModelNotFoundError as error:
            yield part, error.message
    if not files.special_tokens.is_file():
        problem = Message("The file {path} is missing.", path=files.special_tokens)
        yield Message("special tokens"), problem
