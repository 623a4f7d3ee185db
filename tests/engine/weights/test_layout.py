"""Finding models: by name in a folder of models, and by an official configuration file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from magi_engine.config.registry import Registry
from magi_engine.errors import ConfigError, ModelNotFoundError, WeightsError
from magi_engine.resources import resource_path
from magi_engine.weights.layout import (
    default_models_dir,
    entry_paths,
    find_model,
    missing_parts,
    unverified_files,
    weights_folder_name,
)
from magi_engine.weights.manifest import Manifest


def _weights(folder: Path, name: str = "model.safetensors") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"a": torch.ones(1)}, folder / name)


def _autoencoder(folder: Path) -> None:
    _weights(folder, "diffusion_pytorch_model.safetensors")
    (folder / "config.json").write_text("{}")


def _text_encoder(folder: Path) -> None:
    _weights(folder)
    (folder / "config.json").write_text("{}")
    (folder / "spiece.model").write_bytes(b"")


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """All parts of 4.5B-distill in the layout of the hub repository."""
    root = tmp_path / "models"
    _weights(root / "ckpt/magi/4.5B_distill/inference_weight.distill")
    _autoencoder(root / "ckpt/vae")
    _text_encoder(root / "ckpt/t5/t5-v1_1-xxl")
    np.savez(root / "special_tokens.npz", a=np.zeros(1))
    _verify(root)
    return root


def _verify(models_dir: Path) -> None:
    """Note every file as one that was found to be right."""
    manifest = Manifest.load(models_dir)
    for file in models_dir.rglob("*"):
        if file.is_file():
            manifest.note(manifest.key(file), "0" * 64, "test")


def _official(path: Path, **runtime: str) -> Path:
    """An official configuration file with other paths in it."""
    data = json.loads(resource_path("configs/4.5B_distill_config.json").read_text(encoding="utf-8"))
    data["runtime_config"].update(runtime)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def test_a_released_model_is_found_by_name(models_dir: Path) -> None:
    model = find_model("4.5B-distill", models_dir)
    assert model.name == "4.5B-distill"
    assert model.config.engine_config.distill
    weights = models_dir / "ckpt/magi/4.5B_distill/inference_weight.distill"
    assert model.files.transformer == weights
    assert model.files.autoencoder == models_dir / "ckpt/vae"
    assert model.files.text_encoder == models_dir / "ckpt/t5/t5-v1_1-xxl"
    assert model.files.special_tokens == models_dir / "special_tokens.npz"
    assert model.entry == Registry.load().find(model.name)
    assert missing_parts(Registry.load().find(model.name), models_dir) == ()


@pytest.mark.parametrize(
    ("victim", "part"),
    [
        ("ckpt/magi/4.5B_distill/inference_weight.distill/model.safetensors", "transformer"),
        ("ckpt/vae/config.json", "autoencoder"),
        ("ckpt/vae/diffusion_pytorch_model.safetensors", "autoencoder"),
        ("ckpt/t5/t5-v1_1-xxl/spiece.model", "text encoder"),
        ("special_tokens.npz", "special tokens"),
    ],
)
def test_what_is_missing_is_named_and_where(models_dir: Path, victim: str, part: str) -> None:
    (models_dir / victim).unlink()
    with pytest.raises(ModelNotFoundError, match=part) as raised:
        find_model("4.5B-distill", models_dir)
    assert str((models_dir / victim).parent) in str(raised.value.message)
    assert missing_parts(Registry.load().find("4.5B-distill"), models_dir) == (part,)


@pytest.mark.parametrize(
    "victim", ["ckpt/vae/config.json", "ckpt/t5/t5-v1_1-xxl/spiece.model", "special_tokens.npz"]
)
def test_a_file_nobody_has_verified_is_not_used(models_dir: Path, victim: str) -> None:
    entry = Registry.load().find("4.5B-distill")
    assert unverified_files(entry, models_dir) == []
    (models_dir / victim).write_bytes(b"{ }")
    assert unverified_files(entry, models_dir) == [models_dir / victim]
    with pytest.raises(WeightsError, match="have not been checked") as raised:
        find_model(entry.name, models_dir)
    assert "magi models verify 4.5B-distill --models-dir" in str(raised.value.hint)
    _verify(models_dir)
    assert find_model(entry.name, models_dir).entry == entry


def test_an_index_is_verified_too_and_other_files_are_not(models_dir: Path) -> None:
    folder = models_dir / "ckpt/magi/4.5B_distill/inference_weight.distill"
    (folder / "README.md").write_text("read me")
    entry = Registry.load().find("4.5B-distill")
    assert unverified_files(entry, models_dir) == []
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors"}}))
    assert unverified_files(entry, models_dir) == [index]


def test_a_missing_shard_is_named(models_dir: Path) -> None:
    folder = models_dir / "ckpt/magi/4.5B_distill/inference_weight.distill"
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelNotFoundError, match=r"model-2\.safetensors"):
        find_model("4.5B-distill", models_dir)


def test_a_model_that_was_never_downloaded_lacks_every_part(tmp_path: Path) -> None:
    entry = Registry.load().find("24B-base")
    parts = ("transformer", "autoencoder", "text encoder", "special tokens")
    assert missing_parts(entry, tmp_path) == parts
    with pytest.raises(ModelNotFoundError, match="MAGI-1 24B base"):
        find_model("24B-base", tmp_path)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError) as raised:
        find_model("9B", tmp_path)
    assert "pocket-fp8" in str(raised.value.hint)


def test_models_live_below_user_data_by_default() -> None:
    folder = default_models_dir()
    assert folder.name == "models"
    assert folder.parent.name == "magi-desktop"
    entry = Registry.load().find("4.5B-base")
    assert entry_paths(entry).transformer.is_relative_to(folder)


def test_shipped_models_do_not_live_in_the_models_folder(tmp_path: Path) -> None:
    paths = entry_paths(Registry.load().default, tmp_path)
    assert paths.autoencoder == resource_path("models.json").parent / "pocket" / "vae"


# ---- by configuration file


def test_paths_of_a_configuration_may_be_absolute(models_dir: Path, tmp_path: Path) -> None:
    path = _official(
        tmp_path / "elsewhere" / "mine.json",
        load=str(models_dir / "ckpt/magi/4.5B_distill"),
        t5_pretrained=str(models_dir / "ckpt/t5"),
        vae_pretrained=str(models_dir / "ckpt/vae"),
    )
    model = find_model(path, models_dir)
    assert (model.name, model.entry) == ("mine", None)
    assert model.files.transformer.name == "inference_weight.distill"
    assert model.files.text_encoder.name == "t5-v1_1-xxl"  # found inside the folder that is named


def test_paths_of_a_configuration_may_be_relative_to_the_folder_of_models(
    models_dir: Path, tmp_path: Path
) -> None:
    path = _official(tmp_path / "elsewhere" / "mine.json")  # ckpt/..., as ours are
    assert find_model(path, models_dir).files == find_model("4.5B-distill", models_dir).files


def test_paths_relative_to_the_official_source_tree(models_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    downloads = source / "downloads"
    downloads.mkdir(parents=True)
    (models_dir / "ckpt/magi/4.5B_distill").rename(downloads / "4.5B_distill")
    (models_dir / "ckpt/t5").rename(downloads / "t5_pretrained")
    (models_dir / "ckpt/vae").rename(downloads / "vae")
    assets = source / "example/assets"
    assets.mkdir(parents=True)
    (models_dir / "special_tokens.npz").rename(assets / "special_tokens.npz")
    path = _official(
        source / "example/4.5B/4.5B_distill_config.json",
        load="./downloads/4.5B_distill",
        t5_pretrained="./downloads/t5_pretrained",
        vae_pretrained="./downloads/vae",
    )
    files = find_model(path, tmp_path / "empty").files
    assert files.transformer == downloads / "4.5B_distill/inference_weight.distill"
    assert files.text_encoder == downloads / "t5_pretrained/t5-v1_1-xxl"
    assert files.special_tokens == assets / "special_tokens.npz"


def test_a_configuration_may_name_the_folder_of_weights_itself(
    models_dir: Path, tmp_path: Path
) -> None:
    _weights(models_dir / "shared/inference_weight.other")
    path = _official(tmp_path / "mine.json", load="shared/inference_weight.other")
    files = find_model(path, models_dir).files
    assert files.transformer == models_dir / "shared/inference_weight.other"


def test_a_folder_that_is_nowhere_is_named_with_where_it_was_sought(
    models_dir: Path, tmp_path: Path
) -> None:
    path = _official(tmp_path / "mine.json", vae_pretrained="./downloads/vae")
    with pytest.raises(ModelNotFoundError, match="vae_pretrained") as raised:
        find_model(path, models_dir)
    assert str(models_dir / "downloads/vae") in str(raised.value.message)


@pytest.mark.parametrize("field", ["load", "t5_pretrained", "vae_pretrained"])
def test_an_empty_path_is_named(models_dir: Path, tmp_path: Path, field: str) -> None:
    path = _official(tmp_path / "mine.json", **{field: ""})
    with pytest.raises(ConfigError, match=field):
        find_model(path, models_dir)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json"):
        find_model(tmp_path / "none.json", tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("4.5B-base", "inference_weight"),
        ("4.5B-distill", "inference_weight.distill"),
        ("4.5B-distill-fp8", "inference_weight.fp8.distill"),
    ],
)
def test_the_folder_of_weights_follows_from_the_configuration(name: str, expected: str) -> None:
    from magi_engine.config.official import MagiConfig

    entry = Registry.load().find(name)
    config = MagiConfig.from_json(resource_path(entry.config))
    assert weights_folder_name(config.engine_config) == expected == entry.files.transformer.name
