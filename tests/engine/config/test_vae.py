from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from magi_engine.config.vae import VaeConfig
from magi_engine.errors import ConfigError


def write(tmp_path: Path, **ddconfig: Any) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "vit", "ddconfig": ddconfig}))
    return path


def test_official_files_load_and_survive_a_round_trip(goldens: Path, tmp_path: Path) -> None:
    files = sorted(goldens.glob("vae/*/config.json"))
    assert files
    for file in files:
        config = VaeConfig.from_json(file)
        official = json.loads(file.read_text(encoding="utf-8"))
        ours = config.to_dict()
        assert ours["ddconfig"] == official["ddconfig"]
        assert ours["model_type"] == official["model_type"]
        copy = tmp_path / "config.json"
        copy.write_text(json.dumps(ours))
        assert VaeConfig.from_json(copy) == config


def test_what_is_left_out_is_as_in_the_released_autoencoder(tmp_path: Path) -> None:
    assert VaeConfig.from_json(write(tmp_path)) == VaeConfig()
    assert VaeConfig().grid == (4, 32, 32)
    assert VaeConfig().patch_volume == 256


def test_a_whole_number_may_stand_for_a_ratio(tmp_path: Path) -> None:
    assert VaeConfig.from_json(write(tmp_path, mlp_ratio=2)).mlp_ratio == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zebra", 1),
        ("embed_dim", "1024"),
        ("embed_dim", 64.5),
        ("embed_dim", True),
        ("embed_dim", None),
        ("num_heads", 0),
        ("patch_size", -8),
        ("mlp_ratio", True),
        ("mlp_ratio", 0),
        ("qkv_bias", 1),
        ("double_z", False),
        ("use_rope", True),
        ("norm_code", True),
        ("embed_dim", 1000),  # neither heads nor patches divide it
    ],
)
def test_an_impossible_field_is_named(tmp_path: Path, name: str, value: object) -> None:
    path = write(tmp_path, **{name: value})
    with pytest.raises(ConfigError) as caught:
        VaeConfig.from_json(path)
    assert str(path) in str(caught.value.message)
    assert name in str(caught.value.message)
    assert str(caught.value.hint)


def test_narrow_autoencoders_need_the_final_projection() -> None:
    VaeConfig(embed_dim=192, num_heads=4, use_final_proj=True)
    with pytest.raises(ConfigError, match="without use_final_proj"):
        VaeConfig(embed_dim=192, num_heads=4)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"model_type": "kl"}',
        '{"model_type": "vit"}',
        '{"model_type": "vit", "ddconfig": []}',
        "\x00",
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        VaeConfig.from_json(path)
    assert str(path) in str(caught.value.message)
    assert str(caught.value.hint)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        VaeConfig.from_json(tmp_path / "nowhere.json")
