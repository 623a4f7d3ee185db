"""The forms in which people have the official release, and that all of it is found in each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import zstandard
from safetensors.torch import save

from magi_engine.config.registry import Registry
from magi_engine.errors import ConfigError, ModelNotFoundError, WeightsError
from magi_engine.install import importing
from magi_engine.install.importing import find_parts, import_models
from magi_engine.resources import resource_path
from magi_engine.weights.files import weight_files
from magi_engine.weights.layout import entry_paths, find_model, missing_parts

BASE, QUANTISED = "4.5B-base", "4.5B-distill-fp8"


def put(path: Path, data: bytes = b"{}") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def put_shards(folder: Path, *, compressed: bool = False) -> None:
    """Two shards and their index, as the release has them."""
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    weight_map = {f"t{i}": name for i, name in enumerate(names)}
    index = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    put(folder / "model.safetensors.index.json", index)
    for i, name in enumerate(names):
        data = save({f"t{i}": torch.ones(2)})
        if compressed:
            put(folder / f"{name}.zst", zstandard.ZstdCompressor().compress(data))
        else:
            put(folder / name, data)


def put_rest(vae: Path, t5: Path) -> None:
    put(vae / "config.json")
    put(vae / "diffusion_pytorch_model.safetensors", save({"a": torch.ones(2)}))
    for name in ("config.json", "spiece.model", "tokenizer_config.json"):
        put(t5 / name)
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    weight_map = {f"t{i}": name for i, name in enumerate(names)}
    put(t5 / "pytorch_model.bin.index.json", json.dumps({"weight_map": weight_map}).encode())
    for name in names:
        put(t5 / name)


def ckpt(root: Path) -> None:
    """As the hub repository is laid out."""
    put_shards(root / "ckpt/magi/4.5B_base/inference_weight")
    put_shards(root / "ckpt/magi/4.5B_distill_quant/inference_weight.fp8.distill")
    put_rest(root / "ckpt/vae", root / "ckpt/t5/t5-v1_1-xxl")
    shutil.copy(resource_path("pocket", "special_tokens.npz"), root)


def downloads(root: Path, *, compressed: bool = False) -> None:
    """As the official instructions lay it out, beside the source."""
    put_shards(root / "downloads/4.5B_base/inference_weight", compressed=compressed)
    quantised = root / "downloads/4.5B_distill_quant/inference_weight.fp8.distill"
    put_shards(quantised, compressed=compressed)
    put_rest(root / "downloads/vae", root / "downloads/t5_pretrained/t5-v1_1-xxl")
    tokens = root / "example/assets/special_tokens.npz"
    tokens.parent.mkdir(parents=True)
    shutil.copy(resource_path("pocket", "special_tokens.npz"), tokens)


def compressed_downloads(root: Path) -> None:
    """The same with its shards compressed."""
    downloads(root, compressed=True)


LAYOUTS: list[Callable[[Path], None]] = [ckpt, downloads, compressed_downloads]


def names_of(path: Path, models: Path) -> set[str]:
    """The models that are found at ``path`` and then are complete."""
    found = import_models(path, models)
    assert all(not missing_parts(entry, models) for entry in found)
    return {entry.name for entry in found}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_everything_is_found_where_it_lies(layout: Callable[[Path], None], tmp_path: Path) -> None:
    official, models = tmp_path / "MAGI-1", tmp_path / "models"
    layout(official)
    before = {path: path.stat().st_ino for path in official.rglob("*")}
    assert names_of(official, models) == {BASE, QUANTISED}
    for name in (BASE, QUANTISED):
        files = entry_paths(Registry.load().find(name), models)
        for shard in weight_files(files.transformer):
            assert shard.resolve().is_relative_to(official), "nothing is copied"
    assert {path: path.stat().st_ino for path in official.rglob("*")} == before
    assert names_of(official, models) == {BASE, QUANTISED}, "a second time does no harm"


@pytest.mark.parametrize("inside", ["ckpt", "downloads"])
def test_the_folder_in_it_may_be_given(inside: str, tmp_path: Path) -> None:
    official, models = tmp_path / "MAGI-1", tmp_path / "models"
    {"ckpt": ckpt, "downloads": downloads}[inside](official)
    assert names_of(official / inside, models) == {BASE, QUANTISED}


def config_of(official: Path, paths: dict[str, str], where: str) -> Path:
    """An official configuration of the base model with other paths."""
    data = json.loads(resource_path("configs/4.5B_base_config.json").read_text(encoding="utf-8"))
    data["runtime_config"].update(paths)
    path = official / where
    put(path, json.dumps(data).encode())
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("where", ["example/4.5B/my_config.json", "my_config.json"])
def test_a_configuration_leads_to_its_files(
    layout: Callable[[Path], None], absolute: bool, where: str, tmp_path: Path
) -> None:
    official, models = tmp_path / "MAGI-1", tmp_path / "models"
    layout(official)
    relative = (
        {
            "load": "ckpt/magi/4.5B_base",
            "t5_pretrained": "ckpt/t5/t5-v1_1-xxl",
            "vae_pretrained": "ckpt/vae",
        }
        if layout is ckpt
        else {
            "load": "./downloads/4.5B_base",
            "t5_pretrained": "./downloads/t5_pretrained",
            "vae_pretrained": "./downloads/vae",
        }
    )
    paths = {k: str(official / v) for k, v in relative.items()} if absolute else relative
    config = config_of(official, paths, where)
    found = find_model(config, models)
    assert found.files.transformer.is_relative_to(official.resolve())
    assert found.files.text_encoder.name == "t5-v1_1-xxl"
    assert names_of(config, models) == {BASE}


def test_a_configuration_elsewhere_leads_there_by_whole_paths(tmp_path: Path) -> None:
    official, models = tmp_path / "MAGI-1", tmp_path / "models"
    downloads(official)
    paths = {
        "load": str(official / "downloads/4.5B_base/inference_weight"),
        "t5_pretrained": str(official / "downloads/t5_pretrained/t5-v1_1-xxl"),
        "vae_pretrained": str(official / "downloads/vae"),
    }
    config = config_of(tmp_path / "somewhere" / "else", paths, "c.json")
    assert names_of(config, models) == {BASE}


def test_a_part_may_be_missing(tmp_path: Path) -> None:
    official, models = tmp_path / "MAGI-1", tmp_path / "models"
    ckpt(official)
    shutil.rmtree(official / "ckpt/t5")
    assert {entry.name for entry in import_models(official, models)} == {BASE, QUANTISED}
    assert missing_parts(Registry.load().find(BASE), models) == ("text encoder",)


STACKED = "videodit_blocks.layers.self_attention.linear_qkv.weight"


def put_stacked(folder: Path, *, sharded: bool) -> None:
    """A checkpoint of MAGI-1.1: each tensor holds all layers."""
    if not sharded:
        put(folder / "model.safetensors", save({STACKED: torch.ones(4, 8, 2)}))
        return
    name = "model-00001-of-00001.safetensors"
    put(folder / name, save({STACKED: torch.ones(4, 8, 2)}))
    index = {"metadata": {}, "weight_map": {STACKED: name}}
    put(folder / "model.safetensors.index.json", json.dumps(index).encode())


@pytest.mark.parametrize("inside", ["", "ckpt", "ckpt/magi1.1", "ckpt/magi1.1/24B_base"])
def test_magi_1_1_is_refused_and_nothing_linked(inside: str, tmp_path: Path) -> None:
    put_stacked(tmp_path / "MAGI-1/ckpt/magi1.1/24B_base/inference_weight", sharded=True)
    put_rest(tmp_path / "MAGI-1/ckpt/vae", tmp_path / "MAGI-1/ckpt/t5/t5-v1_1-xxl")
    with pytest.raises(WeightsError, match=r"MAGI-1\.1") as raised:
        import_models(tmp_path / "MAGI-1" / inside, tmp_path / "models")
    assert str(raised.value.hint) == "Use a model of MAGI-1."
    assert not (tmp_path / "models").exists()


def test_a_whole_disk_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    put_stacked(tmp_path / "a/b", sharded=True)
    monkeypatch.setattr(importing, "_MOST_FOLDERS", 2)
    with pytest.raises(ModelNotFoundError, match="No released model"):
        find_parts(tmp_path)
    monkeypatch.setattr(importing, "_MOST_FOLDERS", 3)
    with pytest.raises(WeightsError, match=r"1\.1"):
        find_parts(tmp_path)


def test_magi_1_beside_magi_1_1_is_taken(tmp_path: Path) -> None:
    ckpt(tmp_path / "MAGI-1")
    put_stacked(tmp_path / "MAGI-1/ckpt/magi1.1/24B_base/inference_weight", sharded=True)
    assert names_of(tmp_path / "MAGI-1", tmp_path / "models") == {BASE, QUANTISED}


@pytest.mark.parametrize("sharded", [False, True])
def test_a_configuration_of_magi_1_1_is_refused(sharded: bool, tmp_path: Path) -> None:
    official = tmp_path / "MAGI-1"
    ckpt(official)
    put_stacked(official / "ckpt/magi1.1/24B_base/inference_weight", sharded=sharded)
    paths = {
        "load": str(official / "ckpt/magi1.1/24B_base/inference_weight"),
        "t5_pretrained": str(official / "ckpt/t5"),
        "vae_pretrained": str(official / "ckpt/vae"),
    }
    config = config_of(tmp_path, paths, "magi11.json")
    for use in (lambda: import_models(config, tmp_path / "models"), lambda: find_model(config)):
        with pytest.raises(WeightsError, match=r"MAGI-1\.1"):
            use()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    empty, loop = tmp_path / "empty", tmp_path / "loop"
    empty.mkdir()
    loop.symlink_to(loop)
    ckpt(tmp_path / "MAGI-1")
    circle = tmp_path / "MAGI-1" / "ckpt" / "vae" / "circle"
    circle.symlink_to(tmp_path / "MAGI-1")  # a folder in itself is walked through once
    assert names_of(tmp_path / "MAGI-1", tmp_path / "models") == {BASE, QUANTISED}
    for path, match in (
        (empty, "No released model"),
        (tmp_path / "none", "There is no"),
        (loop, "There is no"),
        (loop / "below", "There is no"),
    ):
        with pytest.raises(ModelNotFoundError, match=match) as raised:
            import_models(path, tmp_path / "models")
        assert str(raised.value.hint)
    put(tmp_path / "x.json", b"[")
    with pytest.raises(ConfigError):
        import_models(tmp_path / "x.json", tmp_path / "models")
    data = json.loads(resource_path("configs/4.5B_base_config.json").read_text(encoding="utf-8"))
    data["runtime_config"]["load"] = "nowhere"
    put(tmp_path / "y.json", json.dumps(data).encode())
    with pytest.raises(ModelNotFoundError, match="no folder nowhere"):
        import_models(tmp_path / "y.json", tmp_path / "models")
