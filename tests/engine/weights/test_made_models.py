"""Finding a model whose weights are made on this machine from those of another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from magi_engine.config.registry import Registry
from magi_engine.errors import ModelNotFoundError
from magi_engine.install.status import (
    CachedKind,
    ModelState,
    cached_things,
    model_statuses,
    remove_model,
)
from magi_engine.resources import resource_path
from magi_engine.training import pocket
from magi_engine.weights import growing, layout, provenance
from magi_engine.weights.layout import (
    default_models_dir,
    entry_paths,
    find_model,
    missing_parts,
    models_command,
    needed_files,
)
from magi_engine.weights.manifest import Manifest
from magi_engine.weights.provenance import Provenance, note_source


def write_made(folder: Path, made_from: Provenance) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    noted = {"recipe": made_from.recipe, "source_sha256": made_from.source_sha256}
    save_file({"a": torch.ones(1)}, folder / "model.safetensors", metadata=noted)


@pytest.fixture
def resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The resources with one number for the pocket model's weights."""
    root = tmp_path / "resources"
    pocket.save_configs(root / "pocket")
    shutil.copy(resource_path("models.json"), root)
    for file in (
        pocket.DIT_FILE,
        "vae/diffusion_pytorch_model.safetensors",
        "t5/model.safetensors",
    ):
        (root / "pocket" / file).parent.mkdir(parents=True, exist_ok=True)
        save_file({"a": torch.ones(1)}, root / "pocket" / file)
    for file in ("vae/config.json", "t5/config.json", "t5/spiece.model"):
        (root / "pocket" / file).write_bytes(b"{}")
    np.savez(root / "pocket" / pocket.SPECIAL_TOKENS_FILE, a=np.zeros(1))
    monkeypatch.setattr(layout, "resource_path", lambda *parts: root.joinpath(*parts))
    return root


def test_a_model_that_has_not_been_made_says_how_to_make_it(
    resources: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelNotFoundError, match="Pocket fp8 has not been made") as raised:
        find_model("pocket-fp8", tmp_path)
    assert "magi models quantize pocket-fp8 --models-dir" in str(raised.value.hint)
    assert str(tmp_path) in str(raised.value.hint)
    entry = Registry.load().find("pocket-fp8")
    usual = models_command(default_models_dir(), "quantize", entry.name)
    assert usual == "magi models quantize pocket-fp8"
    spaced = models_command(Path("/my models"), "import", "a b")
    assert spaced == f'magi models import "a b" --models-dir "{Path("/my models")}"'
    assert missing_parts(entry, tmp_path) == ("transformer",)


def test_once_made_it_is_found_beside_the_shipped_parts(resources: Path, tmp_path: Path) -> None:
    source = find_model("pocket", tmp_path)
    target = entry_paths(Registry.load().find("pocket-fp8"), tmp_path).transformer
    assert target == tmp_path / "pocket-fp8" / "inference_weight.fp8.distill"
    write_made(target, Provenance.of_source(source.files.transformer))
    found = find_model("pocket-fp8", tmp_path)
    assert found.config.engine_config.fp8_quant
    assert found.files.transformer == target
    assert found.files.autoencoder == resources / "pocket" / "vae"
    assert found.entry is not None
    assert found.entry.ships, "nothing has to be downloaded"


@pytest.mark.parametrize("change", ["weights", "recipe"])
def test_one_made_from_something_else_is_not_used(
    resources: Path, tmp_path: Path, change: str
) -> None:
    source = find_model("pocket", tmp_path).files.transformer
    provenance = Provenance.of_source(source)
    if change == "weights":
        save_file({"a": torch.zeros(1)}, resources / "pocket" / pocket.DIT_FILE)
    else:
        provenance = Provenance("an older recipe", provenance.source_sha256)
    target = entry_paths(Registry.load().find("pocket-fp8"), tmp_path).transformer
    write_made(target, provenance)
    with pytest.raises(ModelNotFoundError, match="older Pocket") as raised:
        find_model("pocket-fp8", tmp_path)
    assert "magi models quantize" in str(raised.value.hint)


# ---- of a model that was downloaded


LARGE, SOURCE = "4.5B-base-fp8", "4.5B-base"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that holds one, of which too much for hashing in passing is assumed."""
    monkeypatch.setattr(provenance, "_QUICKLY_HASHED", 0)
    folder = tmp_path / "models"
    files = entry_paths(Registry.load().find(SOURCE), folder)
    for part, name in (
        (files.transformer, "model.safetensors"),
        (files.autoencoder, "diffusion_pytorch_model.safetensors"),
        (files.text_encoder, "model.safetensors"),
    ):
        part.mkdir(parents=True)
        save_file({"a": torch.ones(1)}, part / name)
    for path in (files.autoencoder / "config.json", files.text_encoder / "config.json"):
        path.write_bytes(b"{}")
    (files.text_encoder / "spiece.model").write_bytes(b"{}")
    np.savez(files.special_tokens, a=np.zeros(1))
    manifest = Manifest.load(folder)
    for path in needed_files(Registry.load().find(SOURCE), folder):
        manifest.note(manifest.key(path), "0", "a test")
    return folder


def make_large(models: Path) -> None:
    registry = Registry.load()
    source = entry_paths(registry.find(SOURCE), models).transformer
    target = entry_paths(registry.find(LARGE), models).transformer
    write_made(target, Provenance.of_source(source))
    note_source(target, source)


def states(models: Path) -> dict[str, ModelState]:
    return {s.entry.name: s.state for s in model_statuses(models)}


def test_it_is_offered_where_its_source_is(models: Path, tmp_path: Path) -> None:
    assert LARGE not in states(tmp_path / "nothing")
    assert states(models)[LARGE] is ModelState.TO_MAKE
    assert "24B-base-fp8" not in states(models)
    make_large(models)
    assert states(models)[LARGE] is ModelState.READY
    assert find_model(LARGE, models).config.engine_config.fp8_quant
    made = [t for t in cached_things(models) if t.kind is CachedKind.QUANTISED_TRANSFORMER]
    assert [str(thing.title) for thing in made] == [Registry.load().find(LARGE).title]
    assert made[0].size_bytes > 0


def test_what_is_half_made_is_listed_once(models: Path) -> None:
    folder = entry_paths(Registry.load().find(LARGE), models).transformer
    folder.mkdir(parents=True)
    growing.unfinished(folder / "model.safetensors").write_bytes(bytes(1000))
    (made,) = cached_things(models, models / "no cache")
    assert (made.kind, made.size_bytes) == (CachedKind.QUANTISED_TRANSFORMER, 1000)
    assert states(models)[LARGE] is ModelState.TO_MAKE


def test_it_outlives_its_source(models: Path) -> None:
    make_large(models)
    gone = remove_model(SOURCE, models)
    assert entry_paths(Registry.load().find(SOURCE), models).autoencoder not in gone
    for path in gone:
        shutil.rmtree(path)
    assert states(models)[LARGE] is ModelState.READY
    assert find_model(LARGE, models).files.transformer.is_dir()


def test_a_large_source_is_not_hashed_to_find_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(models)
    monkeypatch.delattr(provenance, "content_hash")
    assert find_model(LARGE, models)
    weights = entry_paths(Registry.load().find(SOURCE), models).transformer / "model.safetensors"
    os.utime(weights, (1, 1))  # other weights, as far as can be told quickly
    with pytest.raises(ModelNotFoundError, match="older MAGI-1"):
        find_model(LARGE, models)
