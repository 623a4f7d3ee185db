"""Checkpoints of the released sizes with random weights, in the official layout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel

from magi_engine.config.official import MagiConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.model.dit import VideoDiT
from magi_engine.model.vae import ViTVAE
from magi_engine.resources import resource_path

_T5_XXL: dict[str, Any] = {
    "d_model": 4096,
    "d_ff": 10240,
    "d_kv": 64,
    "num_heads": 64,
    "vocab_size": 32128,
}
_T5_SMALL: dict[str, Any] = {
    "d_model": 64,
    "d_ff": 128,
    "d_kv": 16,
    "num_heads": 4,
    "vocab_size": 320,
}
T5_LAYERS = 24
"""Of T5-XXL; with half of them the pickles are half as large."""


@dataclass(frozen=True)
class Release:
    """An official folder.

    Attributes:
        folder: holds ``ckpt``, ``example`` and ``special_tokens.npz``.
    """

    folder: Path

    @property
    def config(self) -> Path:
        """The official configuration, whose paths are relative."""
        return self.folder / "example/4.5B/4.5B_distill_quant_config.json"

    @property
    def text_encoder(self) -> Path:
        """The folder of T5."""
        return self.folder / "ckpt/t5/t5-v1_1-xxl"

    @property
    def special_tokens(self) -> Path:
        """The embeddings of special tokens."""
        return self.folder / "special_tokens.npz"

    @property
    def transformer(self) -> Path:
        """The folder of the fp8 transformer."""
        return self.folder / "ckpt/magi/4.5B_distill_quant/inference_weight.fp8.distill"


def write_release(
    folder: Path, device: torch.device, *, small: bool, t5_layers: int = T5_LAYERS
) -> Release:
    """The 4.5B distilled fp8 model below ``folder``, with autoencoder and text encoder.

    Args:
        device: where the random numbers are made.
        small: whether everything is tiny.
        t5_layers: of the text encoder, unless everything is tiny; 0: a small one, which is as wide
            as the model wants it.
    """
    release = Release(folder)
    config = _write_config(release.config, release.config.name, small)
    _write_dit(release.transformer, config, device)
    vae = VaeConfig(embed_dim=256, depth=1, num_heads=4) if small else VaeConfig()
    _write_vae(folder / "ckpt/vae", vae, device)
    t5 = {**_T5_XXL, "num_layers": t5_layers}
    if small or not t5_layers:
        t5 = {**_T5_SMALL, "num_layers": 2, "d_model": config.model_config.caption_channels}
    _write_t5(release.text_encoder, t5, device)
    _write_special_tokens(release.special_tokens, t5["d_model"])
    return release


def write_once(folder: Path, device: str, t5_layers: int) -> Release:
    """As :func:`write_release`, unless it is there; on a processor everything is tiny.

    In a process of its own, so that no card's memory is held here.
    """
    release = Release(folder)
    if not release.special_tokens.is_file():  # the last one that is written
        code = (
            "from pathlib import Path; import torch\n"
            "from tests.bench.full_size_files import write_release\n"
            f"folder, device = Path({str(folder)!r}), torch.device({device!r})\n"
            f"write_release(folder, device, small={device == 'cpu'}, t5_layers={t5_layers})\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
    return release


def write_bf16(release: Release, device: torch.device, *, small: bool, num_steps: int) -> Path:
    """The same in bf16 beside it, to be quantised; returns its configuration."""
    path = release.config.with_name("4.5B_distill_config.json")
    config = _write_config(path, path.name, small, num_steps=num_steps)
    folder = release.folder / "ckpt/magi/4.5B_distill/inference_weight.distill"
    _write_dit(folder, config, device)
    return path


def _write_config(path: Path, source: str, small: bool, **runtime: int) -> MagiConfig:
    data = json.loads(resource_path("configs", source).read_text(encoding="utf-8"))
    if small:
        data["model_config"].update(
            num_layers=3,
            hidden_size=256,
            ffn_hidden_size=512,
            num_attention_heads=8,
            num_query_groups=4,
            kv_channels=32,
            caption_channels=_T5_SMALL["d_model"],
        )
        runtime |= {"video_size_h": 64, "video_size_w": 64}
    data["runtime_config"].update(runtime)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return MagiConfig.from_json(path)


def _write_dit(folder: Path, config: MagiConfig, device: torch.device) -> None:
    folder.mkdir(parents=True)
    with torch.device("meta"):
        dit = VideoDiT(config.model_config, fp8=config.engine_config.fp8_quant)
    save_file(dict(_random(dit, device)), folder / "model.safetensors")


def _random(module: nn.Module, device: torch.device) -> Iterator[tuple[str, Tensor]]:
    """Weights with which activations neither vanish nor overflow, on the CPU."""
    torch.manual_seed(0)
    for name, meta in module.state_dict().items():
        fan_in = meta.shape[-1] if meta.dim() > 1 else 1
        if name.endswith("weight_scale"):
            value = torch.full(meta.shape, 0.02)
        elif name.endswith("scale"):
            value = torch.ones(meta.shape)
        elif name.endswith("rope.bands"):
            value = 10000 ** (-torch.arange(len(meta)) / len(meta))
        elif meta.dim() < 2:
            plain_norm = name.endswith(("layer_norm.weight", "norm.weight", "norm2.weight"))
            value = torch.full(meta.shape, float(plain_norm and "post_norm" not in name))
        else:
            value = torch.randn(meta.shape, device=device)
            value *= 1.0 if meta.dtype is torch.float8_e4m3fn else fan_in**-0.5
        yield name, value.to(meta.dtype).cpu().contiguous()


def _write_vae(folder: Path, config: VaeConfig, device: torch.device) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    with torch.device("meta"):
        vae = ViTVAE(config)
    save_file(dict(_random(vae, device)), folder / "diffusion_pytorch_model.safetensors")


def _write_t5(folder: Path, shape: dict[str, Any], device: torch.device) -> None:
    """Two float32 pickles and an index, as the release has them."""
    folder.mkdir(parents=True)
    config = T5Config(**shape, feed_forward_proj="gated-gelu")
    (folder / "config.json").write_text(config.to_json_string(use_diff=False), encoding="utf-8")
    shutil.copy(resource_path("pocket", "t5", "spiece.model"), folder)
    with torch.device("meta"):
        model = T5EncoderModel(config)
    tensors = dict(_random(model, device))
    names = list(tensors)
    weight_map: dict[str, str] = {}
    for number, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), 1):
        file = f"pytorch_model-0000{number}-of-00002.bin"
        torch.save({name: tensors.pop(name) for name in part}, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index), encoding="utf-8")


def _write_special_tokens(path: Path, width: int) -> None:
    generator = np.random.default_rng(0)
    with np.load(resource_path("pocket", "special_tokens.npz")) as like:
        arrays = {
            name: generator.standard_normal((*like[name].shape[:-1], width)) for name in like.files
        }
    np.savez(path, **arrays)  # type: ignore[arg-type]
