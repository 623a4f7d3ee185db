"""Finding a model whose weights are made on this machine from those of another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from magi_engine.config.registry import Registry
from magi_engine.errors import ModelNotFoundError
from magi_engine.resources import resource_path
from magi_engine.training import pocket
from magi_engine.weights import layout
from magi_engine.weights.layout import entry_paths, find_model, how_to_make, missing_parts
from magi_engine.weights.provenance import Provenance


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
    assert "magi quantize --model pocket --models-dir" in raised.value.hint
    assert str(tmp_path) in raised.value.hint
    entry = Registry.load().find("pocket-fp8")
    assert how_to_make(entry) == "magi quantize --model pocket"
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
    assert "magi quantize" in raised.value.hint
