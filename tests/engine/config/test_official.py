from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from magi_engine.config.official import EngineConfig, MagiConfig, ModelConfig, RuntimeConfig
from magi_engine.errors import ConfigError
from magi_engine.resources import resource_path

MODEL: dict[str, Any] = {
    "num_layers": 2,
    "hidden_size": 64,
    "ffn_hidden_size": 96,
    "num_attention_heads": 8,
    "num_query_groups": 4,
    "kv_channels": 8,
}


def full() -> dict[str, Any]:
    """A complete, legal configuration, as a JSON file holds it."""
    return json.loads(json.dumps(MagiConfig.from_dict({"model_config": MODEL}).to_dict()))


def test_all_official_structures_load_and_survive_a_round_trip(goldens: Path) -> None:
    cases = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(goldens.glob("*.json"))
    ]
    configs = [case["config"] for case in cases if "config" in case]
    configs += [
        json.loads(p.read_text(encoding="utf-8")) for p in resource_path("configs").glob("*.json")
    ]
    assert len(configs) >= 11
    for data in configs:
        config = MagiConfig.from_dict(copy.deepcopy(data))
        assert json.loads(json.dumps(config.to_dict())) == data
        assert MagiConfig.from_dict(config.to_dict()) == config


def test_a_file_is_read_like_its_content(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(full()), encoding="utf-8")
    assert MagiConfig.from_json(path) == MagiConfig.from_dict(full())


def test_only_the_shape_of_the_model_has_no_defaults() -> None:
    config = MagiConfig.from_dict({"model_config": MODEL})
    assert config.runtime_config == RuntimeConfig()
    assert config.engine_config == EngineConfig()
    assert config.model_config == ModelConfig(**MODEL)


@pytest.mark.parametrize("name", MODEL)
def test_a_missing_field_is_named(name: str) -> None:
    model = {key: value for key, value in MODEL.items() if key != name}
    with pytest.raises(ConfigError) as caught:
        MagiConfig.from_dict({"model_config": model}, source="my.json")
    assert str(caught.value.message) == f"my.json: the field model_config.{name} is missing."
    assert str(caught.value.hint)


def test_a_missing_section_is_named() -> None:
    with pytest.raises(ConfigError, match="model_config is missing"):
        MagiConfig.from_dict({"runtime_config": {}})


SECTIONS = {
    "model_config": ModelConfig,
    "runtime_config": RuntimeConfig,
    "engine_config": EngineConfig,
}
FIELDS = [
    (section, field.name, str(field.type))
    for section, cls in SECTIONS.items()
    for field in dataclasses.fields(cls)
]
WRONG: dict[str, list[object]] = {
    "bool": [None, 1, 0.5, "true", []],
    "int": [None, True, 1.5, "8", [8]],
    "float": [None, True, "0.5", [0.5]],
    "str": [None, False, 7, ["text"]],
    "list[int]": [None, 5, "5,4", {"a": 1}, [5, "4"], [5, 4.5], [None]],
    "list[float]": [None, 0.5, "0.5", {"a": 1}, [0.5, "x"], [True]],
}


@pytest.mark.parametrize(("section", "name", "kind"), FIELDS)
def test_a_wrong_type_is_named_for_every_field(section: str, name: str, kind: str) -> None:
    for wrong in WRONG[kind]:
        data = full()
        data[section][name] = wrong
        with pytest.raises(ConfigError) as caught:
            MagiConfig.from_dict(data, source="my.json")
        assert str(caught.value.message).startswith(f"my.json: the field {section}.{name}"), wrong
        assert str(caught.value.hint)


@pytest.mark.parametrize(("section", "name"), [(s, n) for s, n, k in FIELDS if k == "float"])
def test_a_whole_number_may_stand_for_any_number(section: str, name: str) -> None:
    data = full()
    data[section][name] = 1
    assert getattr(getattr(MagiConfig.from_dict(data), section), name) == 1


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_field_is_named_and_the_likely_one_offered(section: str) -> None:
    data = full()
    real = next(iter(data[section]))
    data[section][f"{real}x"] = 1
    with pytest.raises(ConfigError) as caught:
        MagiConfig.from_dict(data)
    assert f"the field {section}.{real}x is unknown" in str(caught.value.message)
    assert str(caught.value.hint) == f"Did you mean {real!r}?"


def test_an_unknown_section_is_named() -> None:
    with pytest.raises(ConfigError, match="the field zebra is unknown") as caught:
        MagiConfig.from_dict(full() | {"zebra": {}})
    assert str(caught.value.hint) == "Remove that field."


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("model_config", "params_dtype", "torch.int8"),
        ("model_config", "num_layers", 0),
        ("model_config", "hidden_size", -64),
        ("model_config", "num_query_groups", 3),
        ("model_config", "num_query_groups", 0),
        ("model_config", "kv_channels", 16),
        ("model_config", "in_channels", 0),
        ("model_config", "out_channels", 32),
        ("model_config", "patch_size", 0),
        ("model_config", "caption_max_length", 0),
        ("model_config", "x_rescale_factor", 0),
        ("model_config", "apply_layernorm_1p", False),
        ("model_config", "t_patch_size", 2),
        ("runtime_config", "cfg_number", 2),
        ("runtime_config", "prev_chunk_scales", [1.0]),
        ("runtime_config", "text_scales", []),
        ("runtime_config", "num_steps", 0),
        ("runtime_config", "window_size", -1),
        ("runtime_config", "noise2clean_kvrange", [5, 4, 0, 2]),
        ("runtime_config", "clean_chunk_kvrange", 0),
        ("runtime_config", "clean_chunk_kvrange", -2),
        ("runtime_config", "scale_factor", 0.0),
        ("engine_config", "shortcut_mode", "8,8,8"),
    ],
)
def test_an_impossible_value_is_named(section: str, name: str, value: object) -> None:
    data = full()
    data[section][name] = value
    with pytest.raises(ConfigError) as caught:
        MagiConfig.from_dict(data, source="my.json")
    assert str(caught.value.message).startswith(f"my.json: the field {section}.{name}")
    assert str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("num_steps", -50_000, "must be positive"),
        ("num_steps", 50_000, "is 50000, where 10000 is the most"),
        ("seed", -(2**63), "is -9223372036854775808, where -9223372036854775807 is the least"),
        ("seed", 2**63, "is 9223372036854775808, where 9223372036854775807 is the most"),
        ("text_scales", [-5e9], "is -5000000000.0, where -2147483648 is the least"),
    ],
)
def test_the_limit_that_a_number_is_beyond_is_said(name: str, value: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"runtime_config.{name} {problem}."):
        dataclasses.replace(RuntimeConfig(), **{name: value})


def test_odd_channels_cannot_be_halved() -> None:
    data = full()
    data["model_config"] |= {"half_channel_vae": True, "in_channels": 31, "out_channels": 31}
    with pytest.raises(ConfigError, match=r"model_config\.in_channels is 31"):
        MagiConfig.from_dict(data)


def test_latent_channels_are_half_where_they_go_in_twice() -> None:
    assert ModelConfig(**MODEL).latent_channels == 16
    doubled = ModelConfig(**MODEL, half_channel_vae=True, in_channels=32, out_channels=32)
    assert doubled.latent_channels == 16


@pytest.mark.parametrize("data", [[], "text", 3, None, {"model_config": []}])
def test_anything_but_objects_is_refused(data: object) -> None:
    with pytest.raises(ConfigError, match="must "):
        MagiConfig.from_dict(data, source="my.json")


def test_broken_json_is_located(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{\n  "model_config": {,}\n}')
    with pytest.raises(ConfigError) as caught:
        MagiConfig.from_json(path)
    assert f"{path} is not valid JSON (line 2, column 20)." in str(caught.value.message)


@pytest.mark.parametrize("make", ["nothing", "folder", "binary"])
def test_an_unreadable_file_is_named(tmp_path: Path, make: str) -> None:
    path = tmp_path / "config.json"
    if make == "folder":
        path.mkdir()
    elif make == "binary":
        path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError) as caught:
        MagiConfig.from_json(path)
    assert str(path) in str(caught.value.message)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_of_a_windows_editor_is_read(tmp_path: Path, encoding: str) -> None:
    whole = resource_path("configs/4.5B_base_fp8_config.json").read_text(encoding="utf-8")
    (tmp_path / "a.json").write_text(whole, encoding=encoding)
    assert MagiConfig.from_json(tmp_path / "a.json").runtime_config.cfg_number == 3


def test_a_field_of_the_first_official_files_is_no_error(tmp_path: Path) -> None:
    data = json.loads(
        resource_path("configs/4.5B_base_fp8_config.json").read_text(encoding="utf-8")
    )
    data["runtime_config"]["t5_cache_dir"] = "./t5"
    (tmp_path / "a.json").write_text(json.dumps(data), encoding="utf-8")
    MagiConfig.from_json(tmp_path / "a.json")


@pytest.mark.parametrize("text", ["[" * 90_000, '{"model_config": Infinity}', "9" * 6000])
def test_whatever_a_file_holds_the_error_is_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        MagiConfig.from_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "change",
    [
        {"text_scales": [float("nan")] * 5},
        {"clean_t": float("inf")},
        {"window_size": 2**40},
        {"num_frames": 10**30},
    ],
)
def test_numbers_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        dataclasses.replace(RuntimeConfig(), **change)
