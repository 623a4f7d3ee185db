"""The list of models: complete, consistent with its configuration files, safe when damaged."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import ModelEntry, ModelPaths, Registry
from magi_engine.errors import ConfigError, ModelNotFoundError
from magi_engine.resources import resource_path
from magi_engine.training import pocket
from magi_engine.weights.layout import weights_folder_name

_RELEASED = [
    "4.5B-base",
    "4.5B-distill",
    "4.5B-distill-fp8",
    "24B-base",
    "24B-distill",
    "24B-distill-fp8",
]


_MADE = {
    "4.5B-base-fp8": "4.5B-base",
    "4.5B-distill-fp8-made": "4.5B-distill",
    "24B-base-fp8": "24B-base",
    "24B-distill-fp8-made": "24B-distill",
}


def _config(entry: ModelEntry) -> MagiConfig:
    return MagiConfig.from_json(resource_path(entry.config))


def test_the_pocket_model_is_the_default_and_all_released_ones_are_known() -> None:
    registry = Registry.load()
    assert registry.default.name == "pocket"
    names = [entry.name for entry in registry.entries]
    assert [name for name in names if name not in _MADE] == [
        "pocket",
        "pocket-base",
        "pocket-fp8",
        *_RELEASED,
    ]
    assert [name for name in names if registry.find(name).is_downloaded] == _RELEASED


@pytest.mark.parametrize("name", _RELEASED)
def test_an_entry_agrees_with_its_configuration(name: str) -> None:
    entry = Registry.load().find(name)
    config = _config(entry)
    assert config.runtime_config.cfg_number == (1 if config.engine_config.distill else 3)
    assert config.engine_config.fp8_quant is ("fp8" in name)
    assert str(entry.files.transformer.parent.as_posix()) == config.runtime_config.load
    assert str(entry.files.autoencoder.as_posix()) == config.runtime_config.vae_pretrained
    assert str(entry.files.text_encoder.as_posix()) == config.runtime_config.t5_pretrained


@pytest.mark.parametrize("name", _RELEASED)
def test_released_models_name_their_pinned_source(name: str) -> None:
    entry = Registry.load().find(name)
    assert entry.release is not None
    assert not entry.ships
    assert entry.release.repository == "sand-ai/MAGI-1"
    assert len(entry.release.revision) == 40
    assert len(entry.release.special_tokens.sha256) == 64
    assert entry.transformer_bytes is not None
    assert entry.transformer_bytes > 1e9
    assert entry.release.text_encoder_bytes > entry.release.small_text_encoder_bytes > 1e9
    assert entry.release.autoencoder_bytes > 1e9
    assert entry.release.license == "Apache-2.0"
    sources = [(source.remote, source.local.as_posix()) for source in entry.folder_sources]
    folders = (entry.files.transformer, entry.files.autoencoder, entry.files.text_encoder)
    assert sources == [(folder.as_posix(), folder.as_posix()) for folder in folders]


def test_every_model_says_what_it_is_good_for_and_what_it_wants() -> None:
    for entry in Registry.load().entries:
        assert str(entry.purpose).endswith("."), entry.name
        assert str(entry.hardware).endswith("."), entry.name


@pytest.mark.parametrize("name", [*_MADE, "pocket-fp8"])
def test_what_is_made_here_is_its_source_in_fp8(name: str) -> None:
    registry = Registry.load()
    entry = registry.find(name)
    source = registry.find(entry.made_from or "")
    assert source.name == _MADE.get(name, "pocket")
    assert entry.release == source.release
    assert not entry.is_downloaded
    config, original = _config(entry), _config(source)
    engine = dataclasses.replace(original.engine_config, fp8_quant=True)
    runtime = dataclasses.replace(original.runtime_config, load=config.runtime_config.load)
    assert config == dataclasses.replace(original, engine_config=engine, runtime_config=runtime)
    files = dataclasses.replace(source.files, transformer=entry.files.transformer)
    assert entry.files == files
    assert entry.files.transformer.name == weights_folder_name(engine)
    places = [e.files.transformer for e in registry.entries]
    assert places.count(entry.files.transformer) == 1
    captions = resource_path(entry.captions or "").read_text(encoding="utf-8").splitlines()
    assert len(captions) >= 4
    assert all(captions)


@pytest.mark.parametrize(
    ("name", "layers", "hidden", "channels"), [("4.5B", 34, 3072, 16), ("24B", 48, 6144, 32)]
)
def test_sizes_are_those_of_the_release(name: str, layers: int, hidden: int, channels: int) -> None:
    for variant in ("base", "distill", "distill-fp8"):
        model = _config(Registry.load().find(f"{name}-{variant}")).model_config
        assert (model.num_layers, model.hidden_size) == (layers, hidden)
        assert (model.in_channels, model.out_channels) == (channels, channels)
        assert model.gated_linear_unit is (name == "24B")


def test_the_4_5b_configuration_has_the_released_number_of_parameters() -> None:
    import torch

    from magi_engine.model.dit import VideoDiT

    with torch.device("meta"):
        dit = VideoDiT(_config(Registry.load().find("4.5B-base")).model_config)
    assert sum(p.numel() for p in dit.state_dict().values()) == 4_459_898_128


def test_the_pocket_model_is_what_training_exports() -> None:
    root = Path("pocket")
    expected = ModelPaths(
        transformer=root / Path(pocket.DIT_FILE).parent,
        autoencoder=root / pocket.VAE_DIR,
        text_encoder=root / pocket.T5_DIR,
        special_tokens=root / pocket.SPECIAL_TOKENS_FILE,
    )
    registry = Registry.load()
    for name, config in (("pocket", pocket.DISTILLED), ("pocket-base", pocket.BASE)):
        entry = registry.find(name)
        assert entry.ships
        assert entry.files == expected
        assert _config(entry) == config
    assert _config(registry.find("pocket-fp8")) == pocket.QUANTISED


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelNotFoundError, match="'70B'") as raised:
        Registry.load().find("70B")
    assert "4.5B-distill" in str(raised.value.hint)
    assert "pocket" in str(raised.value.hint)


def _damaged() -> list[str]:
    good = json.loads(resource_path("models.json").read_text(encoding="utf-8"))
    without_default = {key: value for key, value in good.items() if key != "default"}
    missing_path = json.loads(json.dumps(good))
    del missing_path["models"][0]["files"]["autoencoder"]
    other_default = {**good, "default": "none"}
    cases = [without_default, missing_path, other_default, []]
    return ["", "{", *map(json.dumps, cases)]


@pytest.mark.parametrize("text", _damaged(), ids=range(6))
def test_a_damaged_list_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"models\.json"):
        Registry.read(path)
