"""The official configuration files as typed, frozen dataclasses.

A file has three sections, ``model_config``, ``runtime_config`` and ``engine_config``; field names
and meanings are the release's own, so that its JSON files load as they are and ours load there.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import reprlib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from magi_engine.errors import ConfigError
from magi_engine.json_text import read_json
from magi_engine.messages import Message

_Section = TypeVar("_Section")

_DTYPES = ("torch.bfloat16", "torch.float16", "torch.float32")
SHORTCUT_MODES = ("8,16,16", "16,16,8")
_POSITIVE = Message("must be positive")
_REMOVE = Message("Remove that field.")
_LARGEST = 2**31
_MOST = {
    "num_layers": 1_000,
    "num_attention_heads": 10_000,
    "caption_max_length": 100_000,
    "patch_size": 100,
    "num_steps": 10_000,
    "window_size": 1_000,
    "chunk_width": 10_000,
    "num_frames": 1_000_000,
}
"""Of what is counted one by one; far beyond any model and any video."""
LAST_KV_RANGE = -1
"""As ``clean_chunk_kvrange``: the last entry of ``noise2clean_kvrange``."""


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the diffusion transformer (spec section 1)."""

    num_layers: int
    hidden_size: int
    ffn_hidden_size: int
    num_attention_heads: int
    num_query_groups: int
    kv_channels: int
    """Size of one attention head."""
    model_name: str = "videodit_ardf"
    layernorm_epsilon: float = 1e-6
    apply_layernorm_1p: bool = True
    x_rescale_factor: float = 1
    half_channel_vae: bool = False
    params_dtype: str = "torch.bfloat16"
    patch_size: int = 2
    t_patch_size: int = 1
    in_channels: int = 16
    out_channels: int = 16
    cond_hidden_ratio: float = 0.25
    caption_channels: int = 4096
    caption_max_length: int = 800
    xattn_cond_hidden_ratio: float = 1.0
    cond_gating_ratio: float = 1.0
    gated_linear_unit: bool = False

    def __post_init__(self) -> None:
        _require_sane_numbers(self, "model_config")
        _require(
            self.params_dtype in _DTYPES,
            "model_config.params_dtype",
            Message("is {value!r}, not one of {known}", value=self.params_dtype, known=_DTYPES),
        )
        _require_positive(
            self,
            "model_config",
            "num_layers",
            "hidden_size",
            "ffn_hidden_size",
            "num_attention_heads",
            "layernorm_epsilon",
            "x_rescale_factor",
            "patch_size",
            "in_channels",
            "cond_hidden_ratio",
            "caption_channels",
            "caption_max_length",
        )
        _require(
            self.num_query_groups > 0 and self.num_attention_heads % self.num_query_groups == 0,
            "model_config.num_query_groups",
            Message(
                "is {value}, which does not divide the {heads} attention heads",
                value=self.num_query_groups,
                heads=self.num_attention_heads,
            ),
        )
        _require(
            self.num_attention_heads * self.kv_channels == self.hidden_size,
            "model_config.kv_channels",
            Message(
                "is {value}, but heads x kv_channels must be hidden_size ({hidden_size})",
                value=self.kv_channels,
                hidden_size=self.hidden_size,
            ),
        )
        _require(
            self.kv_channels % 8 == 0,
            "model_config.kv_channels",
            Message(
                "is {value}, not a multiple of 8 as the rotary embedding needs",
                value=self.kv_channels,
            ),
        )
        _require(
            self.hidden_size % 8 == 0,
            "model_config.hidden_size",
            Message("is {value}, not a multiple of 8", value=self.hidden_size),
        )
        _require(
            not self.half_channel_vae or self.in_channels % 2 == 0,
            "model_config.in_channels",
            Message("is {value}, which half_channel_vae cannot halve", value=self.in_channels),
        )
        _require(
            self.out_channels == self.in_channels,
            "model_config.out_channels",
            Message(
                "is {value}, but must equal in_channels ({in_channels})",
                value=self.out_channels,
                in_channels=self.in_channels,
            ),
        )
        # Single values of the released family; other values mean another architecture.
        fixed = {
            "apply_layernorm_1p": True,
            "t_patch_size": 1,
            "xattn_cond_hidden_ratio": 1.0,
            "cond_gating_ratio": 1.0,
        }
        for name, value in fixed.items():
            _require(
                getattr(self, name) == value,
                f"model_config.{name}",
                Message(
                    "is {value!r}; only {only!r} exists in the released models",
                    value=getattr(self, name),
                    only=value,
                ),
            )

    @property
    def latent_channels(self) -> int:
        """Channels of the latents; with ``half_channel_vae`` the model sees them twice."""
        return self.in_channels // 2 if self.half_channel_vae else self.in_channels

    @property
    def condition_size(self) -> int:
        """Width of the adaLN condition (D/4 in the released models)."""
        return int(self.hidden_size * self.cond_hidden_ratio)


@dataclass(frozen=True)
class RuntimeConfig:
    """What one generation does: guidance, schedule, size, paths (spec sections 3 and 4)."""

    cfg_number: int = 1
    cfg_t_range: list[float] = field(default_factory=lambda: [0.0, 0.0217, 0.1, 0.3, 0.999])
    prev_chunk_scales: list[float] = field(default_factory=lambda: [1.5, 1.5, 1.5, 1.0, 1.0])
    text_scales: list[float] = field(default_factory=lambda: [7.5, 7.5, 7.5, 0.0, 0.0])
    noise2clean_kvrange: list[int] = field(default_factory=lambda: [5, 4, 3, 2])
    clean_chunk_kvrange: int = 1
    clean_t: float = 0.9999
    seed: int = 1234
    num_frames: int = 96
    video_size_h: int = 720
    video_size_w: int = 720
    num_steps: int = 64
    window_size: int = 4
    fps: int = 24
    chunk_width: int = 6
    load: str = ""
    t5_pretrained: str = ""
    t5_device: str = "cpu"
    vae_pretrained: str = ""
    scale_factor: float = 0.18215
    temporal_downsample_factor: int = 4

    def __post_init__(self) -> None:
        _require_sane_numbers(self, "runtime_config")
        _require(
            self.cfg_number in (1, 3),
            "runtime_config.cfg_number",
            Message(
                "is {value}; it is 3 for base models and 1 for distilled ones",
                value=self.cfg_number,
            ),
        )
        scales = len(self.cfg_t_range)
        for name in ("prev_chunk_scales", "text_scales"):
            _require(
                len(getattr(self, name)) == scales,
                f"runtime_config.{name}",
                Message(
                    "has {count} values, but cfg_t_range has {wanted}",
                    count=len(getattr(self, name)),
                    wanted=scales,
                ),
            )
        _require_positive(
            self,
            "runtime_config",
            "num_steps",
            "window_size",
            "fps",
            "chunk_width",
            "num_frames",
            "video_size_h",
            "video_size_w",
            "scale_factor",
            "temporal_downsample_factor",
        )
        for index, chunks in enumerate(self.noise2clean_kvrange):
            _require(chunks > 0, f"runtime_config.noise2clean_kvrange[{index}]", _POSITIVE)
        _require(
            self.clean_chunk_kvrange > 0 or self.clean_chunk_kvrange == LAST_KV_RANGE,
            "runtime_config.clean_chunk_kvrange",
            Message(
                "is {value}, but must be positive, or {last} for the last entry of "
                "noise2clean_kvrange",
                value=self.clean_chunk_kvrange,
                last=LAST_KV_RANGE,
            ),
        )


@dataclass(frozen=True)
class EngineConfig:
    """How the release runs the model. Only the fields about the model matter here;
    those about its cluster are kept so that a file survives a round trip."""

    distributed_backend: str = "nccl"
    distributed_timeout_minutes: int = 15
    pp_size: int = 1
    cp_size: int = 1
    cp_strategy: str = "none"
    ulysses_overlap_degree: int = 1
    fp8_quant: bool = False
    distill_nearly_clean_chunk_threshold: float = 0.3
    shortcut_mode: str = "8,16,16"
    distill: bool = False
    kv_offload: bool = True
    enable_cuda_graph: bool = False

    def __post_init__(self) -> None:
        _require_sane_numbers(self, "engine_config")
        _require(
            self.shortcut_mode in SHORTCUT_MODES,
            "engine_config.shortcut_mode",
            Message(
                "is {value!r}, not one of {known}",
                value=self.shortcut_mode,
                known=list(map(repr, SHORTCUT_MODES)),
            ),
        )


@dataclass(frozen=True)
class MagiConfig:
    """One official configuration file."""

    model_config: ModelConfig
    runtime_config: RuntimeConfig = field(default_factory=RuntimeConfig)
    engine_config: EngineConfig = field(default_factory=EngineConfig)

    @classmethod
    def from_json(cls, path: str | Path) -> MagiConfig:
        """Read an official ``*_config.json``.

        Raises:
            ConfigError: the file cannot be read, or a field is missing, unknown or wrong.
        """
        path = Path(path)
        try:
            data = read_json(path)
        except FileNotFoundError as error:
            raise ConfigError("There is no configuration file {path}.", path=path) from error
        except json.JSONDecodeError as error:
            raise ConfigError(
                "{path} is not valid JSON (line {line}, column {column}).",
                "Correct that line or take an official configuration file.",
                path=path,
                line=error.lineno,
                column=error.colno,
            ) from error
        except (OSError, ValueError) as error:
            raise ConfigError("The configuration file {path} cannot be read.", path=path) from error
        return cls.from_dict(data, source=str(path))

    @classmethod
    def from_dict(cls, data: object, source: str = "configuration") -> MagiConfig:
        """Build from the parsed JSON; ``source`` names it in errors."""
        try:
            if not isinstance(data, dict):
                raise ConfigError("the file must hold one JSON object.")
            _require("model_config" in data, "model_config", Message("is missing"))
            _reject_unknown(data, [f.name for f in dataclasses.fields(cls)], prefix="")
            return cls(
                _read_section(ModelConfig, data["model_config"], "model_config"),
                _read_section(RuntimeConfig, data.get("runtime_config", {}), "runtime_config"),
                _read_section(EngineConfig, data.get("engine_config", {}), "engine_config"),
            )
        except ConfigError as error:
            problem = error.message
            raise ConfigError(
                "{path}: {problem}", error.hint, path=source, problem=problem
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """The official JSON structure."""
        return dataclasses.asdict(self)


def _require(condition: bool, name: str, problem: Message) -> None:
    if not condition:
        raise ConfigError(
            "the field {name} {problem}.",
            "Correct that field in the file.",
            name=name,
            problem=problem,
        )


def _require_sane_numbers(section: object, prefix: str) -> None:
    """Refuse what no file means: numbers that are not finite, or that nothing could count to."""
    for spec in dataclasses.fields(section):  # type: ignore[arg-type]
        value = getattr(section, spec.name)
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, int | float):
                _require(
                    abs(number) <= _MOST.get(spec.name, _LARGEST),
                    f"{prefix}.{spec.name}",
                    Message("is {value}, which cannot be", value=reprlib.repr(number)),
                )


def _require_positive(section: object, prefix: str, *names: str) -> None:
    for name in names:
        _require(getattr(section, name) > 0, f"{prefix}.{name}", _POSITIVE)


_FORMER = frozenset({"runtime_config.t5_cache_dir"})
"""Fields of the first official files that mean nothing here."""


def _reject_unknown(data: dict[str, Any], known: list[str], prefix: str) -> None:
    for name in data:
        if name not in known and prefix + name not in _FORMER:
            close = difflib.get_close_matches(name, known, n=1)
            hint = Message("Did you mean {close!r}?", close=close[0]) if close else _REMOVE
            raise ConfigError("the field {name} is unknown.", hint, name=prefix + name)


_hints = functools.cache(typing.get_type_hints)


def _read_section(cls: type[_Section], data: object, section: str) -> _Section:
    if not isinstance(data, dict):
        raise ConfigError("the section {section} must be a JSON object.", section=section)
    hints = _hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    _reject_unknown(data, list(fields), prefix=f"{section}.")
    values: dict[str, Any] = {}
    for name, spec in fields.items():
        if name in data:
            values[name] = _checked(data[name], hints[name], f"{section}.{name}")
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise ConfigError(
                "the field {name} is missing.", "Add it to the file.", name=f"{section}.{name}"
            )
    return cls(**values)


def _checked(value: object, expected: Any, name: str) -> Any:
    """``value`` if it has the declared type (an int may stand for a float), else an error."""
    if isinstance(expected, types.GenericAlias):
        (item,) = typing.get_args(expected)
        if isinstance(value, list):
            return [_checked(v, item, f"{name}[{i}]") for i, v in enumerate(value)]
    elif expected is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    elif isinstance(value, str) and "\0" in value:
        pass  # it cannot be a path
    elif isinstance(value, expected) and (expected is bool or not isinstance(value, bool)):
        return value
    wanted = {
        bool: Message("true or false"),
        int: Message("a whole number"),
        float: Message("a number"),
        str: Message("a text"),
    }
    raise ConfigError(
        "the field {name} is {value}, but must be {wanted}.",
        "Correct that field in the file.",
        name=name,
        value=repr(value),
        wanted=wanted.get(expected, Message("a list")),
    )
