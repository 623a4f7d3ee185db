"""``config.json`` of the official video autoencoder (``ViTVAE``, spec section 5)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi_engine.errors import ConfigError
from magi_engine.json_text import WrongField, read_fields, read_json
from magi_engine.messages import Message

_HINT = Message("Use the config.json that belongs to the autoencoder's weights.")


@dataclass(frozen=True)
class Tile:
    """The pieces a video is encoded and decoded in.

    Attributes:
        size: pixels per side.
        frames: frames per piece; pieces do not overlap in time.
        overlap: share of a piece that the next one beside it covers again.
    """

    size: int
    frames: int
    overlap: float = 0.25

    @classmethod
    def released(cls, fps: int) -> Tile:
        """The tile the release uses: 256 pixels square, half a second, 4 frames at least."""
        return cls(size=256, frames=max(4, fps // 2 // 4 * 4))


@dataclass(frozen=True)
class VaeConfig:
    """The ``ddconfig`` of a ViTVAE. Defaults are the released model's."""

    video_size: int = 256
    """Pixels per side of the positional grid, and of a tile."""
    video_length: int = 16
    """Frames of the positional grid."""
    patch_size: int = 8
    patch_length: int = 4
    in_chans: int = 3
    z_chans: int = 16
    double_z: bool = True
    embed_dim: int = 1024
    depth: int = 24
    num_heads: int = 16
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    with_cls_token: bool = True
    ln_in_attn: bool = True
    conv_last_layer: bool = True
    norm_code: bool = False
    use_rope: bool = False
    use_final_proj: bool = False

    def __post_init__(self) -> None:
        for name, wanted in {
            "double_z": True,
            "with_cls_token": True,
            "conv_last_layer": True,
            "norm_code": False,
            "use_rope": False,
        }.items():
            if getattr(self, name) is not wanted:
                raise ConfigError(
                    "the autoencoder field ddconfig.{name} must be {wanted}.",
                    "Use the released autoencoder's config.json.",
                    name=name,
                    wanted=str(wanted).lower(),
                )
        for field in dataclasses.fields(self):
            if field.type != "bool" and getattr(self, field.name) <= 0:
                raise ConfigError(
                    "the autoencoder field ddconfig.{name} must be positive.", name=field.name
                )
        if self.embed_dim % self.num_heads:
            raise ConfigError("the autoencoder's embed_dim is not a multiple of its num_heads.")
        if not self.use_final_proj and self.embed_dim % self.patch_volume:
            raise ConfigError(
                "the autoencoder's embed_dim {embed_dim} is not a multiple of {patch_volume}, "
                "which it must be without use_final_proj.",
                embed_dim=self.embed_dim,
                patch_volume=self.patch_volume,
            )

    @property
    def patch_volume(self) -> int:
        """Pixels (per channel) of one patch: 4 x 8 x 8."""
        return self.patch_length * self.patch_size**2

    @property
    def unpatch_channels(self) -> int:
        """Channels of a pixel before the decoder's last convolution."""
        return 4 if self.use_final_proj else self.embed_dim // self.patch_volume

    @property
    def grid(self) -> tuple[int, int, int]:
        """Latent positions (T, H, W) the learned positional embedding was made for."""
        side = self.video_size // self.patch_size
        return self.video_length // self.patch_length, side, side

    @classmethod
    def from_json(cls, path: str | Path) -> VaeConfig:
        """Read the official ``config.json``.

        Raises:
            ConfigError: unreadable file, another kind of autoencoder, unknown or wrong field.
        """
        path = Path(path)
        try:
            data = read_json(path)
        except (OSError, ValueError) as error:
            raise ConfigError(
                "The autoencoder's configuration {path} cannot be read.",
                "Download the autoencoder again.",
                path=path,
            ) from error
        if not isinstance(data, dict) or data.get("model_type") != "vit":
            raise ConfigError("{path} does not describe a ViT autoencoder.", _HINT, path=path)
        ddconfig = data.get("ddconfig")
        if not isinstance(ddconfig, dict):
            raise ConfigError("{path}: the field ddconfig must be a JSON object.", _HINT, path=path)
        known = {f.name for f in dataclasses.fields(cls)}
        for name in ddconfig.keys() - known:
            raise ConfigError(
                "{path}: the field ddconfig.{name} is unknown.", _HINT, path=path, name=name
            )
        try:
            return read_fields(cls, ddconfig, "ddconfig")
        except WrongField as error:
            raise ConfigError(
                "{path}: the field {name} {problem}.",
                _HINT,
                path=path,
                name=error.name,
                problem=error.problem,
            ) from error
        except ConfigError as error:
            problem, hint = error.message, error.hint or _HINT
            raise ConfigError("{path}: {problem}", hint, path=path, problem=problem) from error

    def to_dict(self) -> dict[str, Any]:
        """The official ``config.json`` structure."""
        return {
            "_class_name": "ViTVAE",
            "model_type": "vit",
            "ddconfig": dataclasses.asdict(self),
        }
