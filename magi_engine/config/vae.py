"""``config.json`` of the official video autoencoder (``ViTVAE``, spec section 5)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi_engine.errors import ConfigError


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
                    f"the autoencoder field ddconfig.{name} must be {str(wanted).lower()}.",
                    "Use the released autoencoder's config.json.",
                )
        if self.embed_dim % self.num_heads:
            raise ConfigError("the autoencoder's embed_dim is not a multiple of its num_heads.")
        if not self.use_final_proj and self.embed_dim % self.patch_volume:
            raise ConfigError(
                f"the autoencoder's embed_dim {self.embed_dim} is not a multiple of "
                f"{self.patch_volume}, which it must be without use_final_proj."
            )

    @property
    def patch_volume(self) -> int:
        """Pixels (per channel) of one patch: 4 x 8 x 8."""
        return self.patch_length * self.patch_size**2

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
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ConfigError(
                f"The autoencoder's configuration {path} cannot be read.",
                "Download the autoencoder again.",
            ) from error
        if not isinstance(data, dict) or data.get("model_type") != "vit":
            raise ConfigError(f"{path} does not describe a ViT autoencoder.")
        ddconfig: dict[str, Any] = data.get("ddconfig", {})
        known = {f.name: f.type for f in dataclasses.fields(cls)}
        for name, value in ddconfig.items():
            if name not in known:
                raise ConfigError(f"{path}: the field ddconfig.{name} is unknown.")
            numeric = isinstance(value, int | float)
            if not numeric or isinstance(value, bool) is not (known[name] == "bool"):
                raise ConfigError(f"{path}: the field ddconfig.{name} is {value!r}.")
        return cls(**ddconfig)

    def to_dict(self) -> dict[str, Any]:
        """The official ``config.json`` structure."""
        return {
            "_class_name": "ViTVAE",
            "model_type": "vit",
            "ddconfig": dataclasses.asdict(self),
        }
