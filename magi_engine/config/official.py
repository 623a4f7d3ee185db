"""The official configuration files as typed, frozen dataclasses.

A file has three sections, ``model_config``, ``runtime_config`` and ``engine_config``; field names
and meanings are the release's own, so that its JSON files load as they are and ours load there.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import reprlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from magi_engine.errors import ConfigError
from magi_engine.json_text import WrongField, read_fields, read_json
from magi_engine.messages import Message

_Section = TypeVar("_Section")

_DTYPES = ("torch.bfloat16", "torch.float16", "torch.float32")
SHORTCUT_MODES = ("8,16,16", "16,16,8")
_POSITIVE = Message("must be positive")
_REMOVE = Message("Remove that field.")
_LARGEST = 2**31
MAX_FRAMES = 1_000_000
MAX_SEED = 2**63 - 1
_MOST = {
    "num_layers": 1_000,
    "num_attention_heads": 10_000,
    "caption_max_length": 100_000,
    "patch_size": 100,
    "num_steps": 10_000,
    "window_size": 1_000,
    "chunk_width": 10_000,
    "num_frames": MAX_FRAMES,
    "seed": MAX_SEED,
}
"""Of what is counted one by one; far beyond any model and any video."""
_ANY_SIGN = {"seed", "clean_chunk_kvrange", "clean_t", "distill_nearly_clean_chunk_threshold"}
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
        heads, groups = self.num_attention_heads, self.num_query_groups
        _check_numbers(self, "model_config")
        _check(
            self,
            "model_config",
            params_dtype=(
                self.params_dtype in _DTYPES,
                Message("is {value!r}, not one of {known}", known=_DTYPES),
            ),
            num_query_groups=(
                heads % groups == 0,
                Message(
                    "is {value}, which does not divide the {heads:attention head|attention heads}",
                    heads=heads,
                ),
            ),
            kv_channels=(
                heads * self.kv_channels == self.hidden_size and self.kv_channels % 8 == 0,
                Message(
                    "is {value}, but must be a multiple of 8, as the rotary embedding needs, and "
                    "heads x kv_channels must be hidden_size ({hidden_size})",
                    hidden_size=self.hidden_size,
                ),
            ),
            hidden_size=(self.hidden_size % 8 == 0, Message("is {value}, not a multiple of 8")),
            in_channels=(
                not self.half_channel_vae or self.in_channels % 2 == 0,
                Message("is {value}, which half_channel_vae cannot halve"),
            ),
            out_channels=(
                self.out_channels == self.in_channels,
                Message(
                    "is {value}, but must equal in_channels ({wanted})", wanted=self.in_channels
                ),
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
            only = Message("is {value!r}; only {only!r} exists in the released models", only=value)
            _check(self, "model_config", **{name: (getattr(self, name) == value, only)})

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
        _check_numbers(self, "runtime_config")
        wanted = len(self.cfg_t_range)
        length = Message("has {count:value|values}, but cfg_t_range has {wanted}", wanted=wanted)
        _check(
            self,
            "runtime_config",
            cfg_number=(
                self.cfg_number in (1, 3),
                Message("is {value}; it is 3 for base models and 1 for distilled ones"),
            ),
            prev_chunk_scales=(len(self.prev_chunk_scales) == wanted, length),
            text_scales=(len(self.text_scales) == wanted, length),
            noise2clean_kvrange=(all(n > 0 for n in self.noise2clean_kvrange), _POSITIVE),
            clean_chunk_kvrange=(
                self.clean_chunk_kvrange > 0 or self.clean_chunk_kvrange == LAST_KV_RANGE,
                Message(
                    "is {value}, but must be positive, or {last} for the last entry of "
                    "noise2clean_kvrange",
                    last=LAST_KV_RANGE,
                ),
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
        _check_numbers(self, "engine_config")
        known = list(map(repr, SHORTCUT_MODES))
        _check(
            self,
            "engine_config",
            shortcut_mode=(
                self.shortcut_mode in SHORTCUT_MODES,
                Message("is {value!r}, not one of {known}", known=known),
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
            if "model_config" not in data:
                raise _wrong("model_config", Message("is missing"))
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


def _wrong(name: str, problem: Message) -> ConfigError:
    return ConfigError(
        "the field {name} {problem}.",
        "Correct that field in the file.",
        name=name,
        problem=problem,
    )


def _check(section: object, prefix: str, **rules: tuple[bool, Message]) -> None:
    """Refuse a field of which a rule is broken; says the rule, with the field's ``value``."""
    for name, (kept, rule) in rules.items():
        if not kept:
            value = getattr(section, name)
            count = len(value) if isinstance(value, list) else 1
            raise _wrong(f"{prefix}.{name}", rule.filled(value=value, count=count))


def _check_numbers(section: object, prefix: str) -> None:
    """Refuse what no file means: numbers that are not finite, that nothing could count to, or,
    where they count something or scale it, that are not positive."""
    for spec in dataclasses.fields(section):  # type: ignore[arg-type]
        value = getattr(section, spec.name)
        numbers = value if isinstance(value, list | tuple) else [value]
        for number in (n for n in numbers if isinstance(n, int | float)):
            most = _MOST.get(spec.name, _LARGEST)
            shown, problem = reprlib.repr(number), None
            scalar = number is value and not isinstance(value, bool)
            if scalar and number <= 0 and spec.name not in _ANY_SIGN:
                problem = _POSITIVE
            elif number < -most:
                problem = Message(
                    "is {value}, where {least} is the least", value=shown, least=-most
                )
            elif not number <= most:  # nor NaN
                problem = Message("is {value}, where {most} is the most", value=shown, most=most)
            if problem is not None:
                raise _wrong(f"{prefix}.{spec.name}", problem)


_FORMER = frozenset({"runtime_config.t5_cache_dir"})
"""Fields of the first official files that mean nothing here."""


def _reject_unknown(data: dict[str, Any], known: list[str], prefix: str) -> None:
    for name in data:
        if name not in known and prefix + name not in _FORMER:
            close = difflib.get_close_matches(name, known, n=1)
            hint = Message("Did you mean {close!r}?", close=close[0]) if close else _REMOVE
            raise ConfigError("the field {name} is unknown.", hint, name=prefix + name)


def _read_section(cls: type[_Section], data: object, section: str) -> _Section:
    if not isinstance(data, dict):
        raise ConfigError("the section {section} must be a JSON object.", section=section)
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    _reject_unknown(data, known, prefix=f"{section}.")
    try:
        return read_fields(cls, data, section)
    except WrongField as error:
        raise _wrong(error.name, error.problem) from error
